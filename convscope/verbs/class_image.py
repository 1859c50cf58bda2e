from __future__ import annotations

from collections.abc import Sequence

from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.target import find_class
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import images_result
from convscope.verbs._verb import verb


@verb
def class_image(
    model: Model,
    target: int | str | Sequence[int | str],
    *,
    preset: str = "simonyan",
    steps: int | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    rate: float | None = None,
    regularizers: str | None = None,
    snapshots: list[int] | None = None,
    half: bool = False,
    batch: int = BATCH,
) -> Result:
    """What a class looks like to the network: the image that scores highest (Simonyan et al.,
    2013).

    Ascends the unnormalized score. `result["image"]` is n 3 h w in [0, 1], `result["score"]` n
    steps. The preset `simonyan` is the paper's way with CS231n's numbers; `distill` gives clearer
    pictures.

    Args:
        model: what `load_model` takes.
        target: a class index, a label or an unambiguous part of one, or a list of these.
        preset: simonyan (224 px), simonyan64 (64 px), distill, maco ...
        steps: how many steps; the preset's number by default.
        size: height and width of the picture in pixels; the network's own by default.
        seed: of the one random generator.
        rate: step size.
        regularizers: instead of the preset's, such as "1e-3*l2".
        snapshots: steps at which the pictures are kept too, in `result["snapshot"]` (k n 3 h w).
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
        steps=steps,
        size=size or model.size,
        rate=rate,
        regularizers=regularizers,
        snapshots=snapshots,
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
    titles = [model.label(index) for index in classes]
    details = ImagesDetails(titles=titles, targets=classes)
    return images_result("class_image", optimization, details)
