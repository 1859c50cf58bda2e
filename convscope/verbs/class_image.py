from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from convscope.core.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Rate,
    Seed,
    Side,
    Steps,
)
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.target import find_class
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.result import OptimizationResult
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import images_result, resized
from convscope.verbs._verb import verb


@verb
def class_image(
    model: Model,
    target: int | str | Sequence[int | str],
    *,
    preset: str = "distill",
    steps: Steps | None = None,
    size: Side | tuple[Side, Side] | None = None,
    seed: Seed = 0,
    optimizer: Literal["ascent", "adam", "nadam", "padam"] | None = None,
    rate: Rate | None = None,
    normalize: Literal["none", "rms", "l2", "mean_abs"] | None = None,
    parameterization: str | None = None,
    noise: NonNegativeFloat | None = None,
    transforms: str | None = None,
    jitter: NonNegativeInt | None = None,
    regularizers: str | None = None,
    l2: NonNegativeFloat | None = None,
    blur: NonNegativeFloat | None = None,
    blur_every: PositiveInt | None = None,
    redirect: NonNegativeInt | None = None,
    patience: PositiveInt | None = None,
    snapshots: list[PositiveInt] | None = None,
    show_every: PositiveInt | None = None,
    half: bool = False,
    batch: PositiveInt = BATCH,
) -> Result:
    """What a class looks like to the network: the image that scores highest (Simonyan et al.,
    2013).

    Ascends the unnormalized score. `result["image"]` is n 3 h w in [0, 1], `result["score"]` n
    steps. A table row a class has the network's answer to the picture.

    Args:
        model: what `load_model` takes.
        target: a class index, a label or an unambiguous part of one, or a list of these.
        preset: distill, whose pictures other networks recognize best; simonyan, the paper's way
            with CS231n's numbers (those for 64 px on a network of up to 96 px); maco ...
        steps: how many steps; the preset's number by default.
        size: height and width of the picture in pixels; the network's own by default.
        seed: of the one random generator.
        optimizer: ascent, adam, nadam or padam (Adam that evens out the entries only in part).
        rate: step size; by default the preset's, scaled to the range of the network's input.
        normalize: what each image's gradient is divided by: none, rms, l2 or mean_abs.
        parameterization: what the image is made of, instead of the preset's.
        noise: strength of the noise that it starts from.
        transforms: instead of the preset's, such as "pad(16) jitter(8) rotate(5)"; "none" for none.
        jitter: pixels by which the image is moved at random at each step; 0 for none.
        regularizers: instead of the preset's, such as "total_variation 0.5*l1".
        l2: weight of the sum of squares of the network's input (Simonyan et al., 2013).
        blur: sigma in pixels by which the image is blurred between steps; 0 for none.
        blur_every: at every so many steps.
        redirect: for how many steps closed ReLUs let the gradient through.
        patience: stop when no score has risen for so many steps.
        snapshots: steps at which the pictures are kept too, in `result["snapshot"]` (k n 3 h w).
        show_every: keep and show the pictures at every so many steps.
        half: compute in bfloat16.
        batch: images optimized at once.

    Raises:
        TargetError: no such class.

    Example:
        convscope.class_image(model, "tarantula", preset="simonyan")
        $ convscope class_image tarantula --preset distill --out tarantula.png
    """
    settings = Settings(
        preset,
        "class_image",
        model.preprocessing,
        steps=steps,
        size=model.size if size is None else size,
        optimizer=optimizer,
        rate=rate,
        normalize=normalize,
        parameterization=parameterization,
        noise=noise,
        transforms=transforms,
        jitter=jitter,
        regularizers=regularizers,
        l2=l2,
        blur=blur,
        blur_every=blur_every,
        redirect=redirect,
        patience=patience,
        snapshots=snapshots,
        show_every=show_every,
    )
    targets = [target] if isinstance(target, (int, str)) else list(target)
    with Probe(model) as probe:
        classes = [find_class(model, each) for each in targets]
        optimization = optimize_batches(
            probe,
            [objective("logit", target=index) for index in classes],
            settings,
            BatchOptions(seed, batch, half, task="class image"),
        )
        table = _table(probe, optimization, classes)
    titles = [model.label(index) for index in classes]
    details = ImagesDetails(titles=titles, targets=classes, preset=settings.name)
    return images_result("class_image", optimization, details, table=table)


def _table(probe: Probe, optimization: OptimizationResult, classes: list[int]) -> list[Row]:
    """A row for each class: its score, the network's answer to the picture, and what went wrong."""
    model = probe.model
    scores = probe.scores(
        model.preprocess(resized(optimization.image[:, : model.channels], model.size))
    )
    probabilities = model.probabilities(scores)
    rows: list[Row] = []
    for place, index in enumerate(classes[: len(scores)]):
        first, last = (float(optimization.score[place, step]) for step in (0, -1))
        answer = model.label(int(scores[place].argmax()))
        rows.append(
            {
                "target": model.label(index),
                "first_score": first,
                "last_score": last,
                "answer": answer,
                "probability": float(probabilities[place, index]),
                "note": _note(model.label(index), answer, first, last),
            }
        )
    return rows


def _note(label: str, answer: str, first: float, last: float) -> str:
    """What went wrong with a class image, in one sentence; nothing where all went well."""
    if not last > first:
        return (
            f"The score of {label} did not rise ({first:.3g} to {last:.3g}); a smaller or larger"
            " rate may help."
        )
    if answer != label:
        return f"The network takes this picture for {answer}, not for {label}."
    return ""
