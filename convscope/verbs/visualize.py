from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.networks.model import Model
from convscope.photos.resize import resize_shorter_and_crop
from convscope.probe import Probe
from convscope.results.result import Result
from convscope.synthesis.batches import BATCH, optimize_batches
from convscope.synthesis.objective import Objective, objective, parse
from convscope.synthesis.settings import Settings
from convscope.verbs._verb import PhotoLike, verb


@verb
def visualize(
    model: Model,
    units: str | Objective | Sequence[str | Objective],
    *,
    photo: PhotoLike = None,
    start: Literal["noise", "photo", "mean"] | None = None,
    preset: str = "distill",
    steps: int | None = None,
    size: int | tuple[int, int] | None = None,
    seed: int = 0,
    diversity: int = 1,
    diversity_weight: float = 100.0,
    parameterization: str | None = None,
    transforms: str | None = None,
    regularizers: str | None = None,
    optimizer: Literal["ascent", "adam", "nadam", "padam"] | None = None,
    rate: float | None = None,
    redirect: int | None = None,
    patience: int | None = None,
    snapshots: list[int] | None = None,
    half: bool = False,
    batch: int = BATCH,
) -> Result:
    """The picture that excites a unit most: what it looks for (Erhan et al., 2009; Olah et al.,
    2017).

    `result["image"]` is n 3 h w in [0, 1], `result["score"]` n steps. A list of units makes a
    batch; a unit's picture does not depend on its batch. "blocks.3:*" are all units of a layer.

    Args:
        model: what `load_model` takes.
        units: `layer:index`, `layer:index:row,column`, a layer, `logit(label)`, or a sum such as
            "0.5*a + b"; or a list.
        photo: a photo to start from, and to compare with for `match`, `caricature` and
            `difference`; or one for each unit.
        start: noise, the photo, or the mean of the data the network was trained on; by default the
            photo where there is one.
        preset: a published way: distill, lucid, chollet, maco, simonyan ...; or quick, the score of
            256 of distill's steps in half of them.
        steps: how many steps; the preset's number by default.
        size: height and width of the picture in pixels; the preset's by default.
        seed: of the one random generator.
        diversity: so many different faces of each unit.
        diversity_weight: how strongly faces are driven apart.
        parameterization: what the image is made of, instead of the preset's.
        transforms: instead of the preset's, such as "pad(16) jitter(8) rotate(5)"; "none" for none.
        regularizers: instead of the preset's, such as "0.5*total_variation 0.1*l1".
        optimizer: ascent, adam, nadam or padam (Adam that evens out the entries only in part).
        rate: step size of the optimizer.
        redirect: for how many steps closed ReLUs let the gradient through.
        patience: stop when no score has risen for so many steps.
        snapshots: steps at which the pictures are kept too, in `result["snapshot"]` (k n 3 h w).
        half: compute in bfloat16; faster where the processor has it.
        batch: images optimized at once.

    Raises:
        LayerError, UnitError: no such layer or unit.
        DeadUnitError: no gradient reached the image.

    Example:
        convscope.visualize(model, "blocks.3:11", preset="distill", steps=256)
        $ convscope visualize blocks.3:11 --steps 256 --out unit.png
    """
    settings = Settings(
        preset,
        "visualize",
        steps=steps,
        size=size,
        parameterization=parameterization,
        transforms=transforms,
        regularizers=regularizers,
        optimizer=optimizer,
        rate=rate,
        redirect=redirect,
        patience=patience,
        snapshots=tuple(snapshots) if snapshots else None,
    )
    if diversity < 1:
        raise OptionError(f"diversity must be 1 or more; {diversity} was given.")
    with Probe(model) as probe:
        layers = probe.layers
        given = _listed(units)
        wanted = [parse(each, model, layers) for text in given for each in _spread(text, layers)]
        if diversity > 1:
            late = layers.last_spatial() or next(iter(layers))
            apart = [
                objective("diversity", layer=each.layers[0] if each.layers else late)
                * diversity_weight
                for each in wanted
            ]
            titles = [
                f"{each.title} face {face}" for each in wanted for face in range(1, diversity + 1)
            ]
            wanted = [
                each + other
                for each, other in zip(wanted, apart, strict=True)
                for _ in range(diversity)
            ]
        else:
            titles = [each.title for each in wanted]
        begun = _start(model, settings.size, photo, start)
        seen = None if photo is None else _fitted(model, settings.size, photo)
        names = list(dict.fromkeys(name for each in wanted for name in each.layers))
        reference = {} if seen is None else probe.activations(model.preprocess(seen), names)
    found = optimize_batches(
        model,
        wanted,
        settings,
        seed=seed,
        batch=batch,
        half=half,
        start=begun,
        reference=reference,
        together=diversity,
        what="visualize",
    )
    return found.result(
        "visualize",
        titles=titles[: len(found.image)],
        objectives=[each.to_json() for each in wanted],
    )


def _listed(units: Any) -> list[Any]:
    """One or several units as a list; JSON (a list of dictionaries) is one objective."""
    single = isinstance(units, (str, Objective, dict)) or (
        len(units) > 0 and all(isinstance(each, dict) for each in units)
    )
    return [units] if single else list(units)


def _start(model: Model, size: tuple[int, int], photo: Any, start: str | None) -> Tensor | None:
    """What the pictures start from (1 or n, c h w in [0, 1]); None is noise."""
    if start == "noise" or (start is None and photo is None):
        return None
    if start == "mean":
        return model.deprocess(torch.zeros(1, model.channels, *size, device=model.device)).clamp(
            0, 1
        )
    if photo is None:
        raise OptionError("start='photo' needs a photo; pass photo=.")
    return _fitted(model, size, photo)


def _fitted(model: Model, size: tuple[int, int], photo: Any) -> Tensor:
    """Photos at the pictures' size."""
    return torch.cat([resize_shorter_and_crop(model.channelled(one), size) for one in photo]).to(
        model.device
    )


def _spread(text: Any, layers: Any) -> list[Any]:
    """`layer:*` as all units of the layer, `layer:0-15` as a range."""
    if not isinstance(text, str):
        return [text]
    layer, colon, unit = text.rpartition(":")
    if colon and unit == "*" and layer in layers:
        return [f"{layer}:{index}" for index in range(layers[layer].units)]
    first, dash, last = unit.partition("-")
    if colon and dash and first.isdigit() and last.isdigit() and layer in layers:
        return [f"{layer}:{index}" for index in range(int(first), int(last) + 1)]
    return [text]
