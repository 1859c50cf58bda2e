from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from convscope.core.ranges import (
    PositiveInt,
    Seed,
    Side,
)
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.target import find_class
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.overrides import ImageOverrides
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
    size: Side | tuple[Side, Side] | None = None,
    seed: Seed = 0,
    half: bool = False,
    batch: PositiveInt = BATCH,
    **overrides: Unpack[ImageOverrides],
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
        size: height and width of the picture in pixels; the network's own by default.
        seed: of the one random generator.
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
        size=size or model.size,
        **overrides,
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
    details = ImagesDetails(titles=titles, targets=classes, preset=settings.title)
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
