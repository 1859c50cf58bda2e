from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor

from convscope.core.quantities import pluralize
from convscope.core.ranges import (
    Copies,
    NonNegativeFloat,
    PositiveInt,
    Seed,
    Side,
)
from convscope.errors import OptionError
from convscope.networks.layer import Unit
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.bfloat16 import computes_bfloat16
from convscope.results.details import ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.auto_size import auto_size
from convscope.synthesis.objective import Objective, objective
from convscope.synthesis.objectives import registry as objective_kinds
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.overrides import ImageOverrides
from convscope.synthesis.parse import ObjectiveLike, parse_all
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import fitted, images_result, title_of
from convscope.verbs._verb import PhotoLike, verb

Start = Literal["noise", "photo", "mean"]

DIVERSITY_WEIGHT = 100.0
"""How strongly faces of one unit are driven apart where nobody says it."""


@verb
def visualize(
    model: Model,
    units: str | Objective | Sequence[str | Objective],
    *,
    photo: PhotoLike = None,
    start: Literal["noise", "photo", "mean"] | None = None,
    preset: str = "distill",
    size: Side | tuple[Side, Side] | Literal["auto"] | None = None,
    seed: Seed = 0,
    diversity: Copies = 1,
    diversity_weight: NonNegativeFloat = DIVERSITY_WEIGHT,
    half: bool | None = None,
    batch: PositiveInt = BATCH,
    **overrides: Unpack[ImageOverrides],
) -> Result:
    """The picture that excites a unit most: what it looks for (Erhan et al., 2009; Olah et al.,
    2017).

    `result["image"]` is n 3 h w in [0, 1], `result["score"]` n steps. A list of units makes a
    batch. A unit draws the same random numbers whatever its batch: with one thread its picture is
    the same to 1e-4; with several, PyTorch rounds batches of other sizes differently, and that
    grows with the steps (after 48: 0.2 in some pixels, 0.2 % of the score). "blocks.3:*" are all
    units of a layer.

    Args:
        model: what `load_model` takes.
        units: `layer:index`, `layer:index:row,column`, a layer, `logit(label)`, a question in words
            (`mask:road`, `value:1`; in a sum `score(mask:road)`), or a sum such as "0.5*a + b"; or
            a list.
        photo: a photo to start from, and to compare with for `match`, `caricature` and
            `difference`; or one for each unit.
        start: noise, the photo, or the mean of the data the network was trained on; by default the
            photo where there is one.
        preset: a published way: distill, lucid, chollet, maco, simonyan ...; or quick, the score of
            256 of distill's steps in half of them.
        size: height and width of the picture in pixels; the preset's by default. "auto": as large
            as the layers' receptive fields need, at most the preset's; early layers then take 2 to
            6 times less, and show the same.
        seed: of the one random generator.
        diversity: so many different faces of each unit.
        diversity_weight: how strongly faces are driven apart.
        half: compute in bfloat16; by default where the preset is made for it (quick) and the
            processor has instructions for it, without which it is slower.
        batch: images optimized at once.

    Raises:
        LayerError, UnitError: no such layer or unit.
        OptionError: a photo that nothing starts from or compares with, or more than pictures.
        DeadUnitError: no gradient reached the image.

    Example:
        convscope.visualize(model, "blocks.3:11", preset="distill", steps=256)
        $ convscope visualize blocks.3:11 --steps 256 --out unit.png
    """
    if diversity == 1 and diversity_weight != DIVERSITY_WEIGHT:
        raise OptionError(
            f"diversity_weight={diversity_weight} drives faces apart, and each unit has one; pass"
            " diversity=2 or more."
        )
    starts_from_noise = start == "noise" or (start is None and photo is None)
    if overrides.get("noise") is not None and not starts_from_noise:
        raise OptionError(
            f"noise={overrides['noise']} is for pictures that start from noise; pass start='noise',"
            " or leave it out."
        )
    fixed_size = None if size == "auto" else size
    settings = Settings(preset, "visualize", model.preprocessing, size=fixed_size, **overrides)
    chosen_half = settings.preset.half and computes_bfloat16(model.device)
    in_half = chosen_half if half is None else half
    options = BatchOptions(seed, batch, in_half, group=diversity, task="visualize")
    with Probe(model) as probe:
        objectives = [wanted for source in _listed(units) for wanted in parse_all(source, probe)]
        titles = [title_of(wanted, probe) for wanted in objectives]
        if diversity > 1:
            titles = [
                f"{title} face {face}" for title in titles for face in range(1, diversity + 1)
            ]
            objectives = _faces(objectives, diversity, diversity_weight, probe)
        if size == "auto":
            side = _auto_size(model, objectives, max(settings.size))
            settings = Settings(preset, "visualize", model.preprocessing, size=side, **overrides)
        photos = None if photo is None else fitted(probe, photo, settings.size)
        _require_used(0 if photos is None else len(photos), start, objectives)
        optimization = optimize_batches(
            probe,
            objectives,
            settings,
            options,
            start=_start_image(start, photos, settings.size, probe),
            reference={} if photos is None else _reference(photos, objectives, probe),
        )
    details = ImagesDetails(
        titles=titles,
        objectives=[objective.to_json() for objective in objectives],
        preset=settings.title + (", bfloat16" if in_half else ""),
    )
    return images_result("visualize", optimization, details)


def _listed(units: ObjectiveLike | Sequence[ObjectiveLike]) -> list[ObjectiveLike]:
    """One or several units as a list; JSON (a list of dictionaries) is one objective."""
    if isinstance(units, (str, Unit, Objective, Mapping)):
        return [units]
    terms = [unit for unit in units if isinstance(unit, Mapping)]
    if terms and len(terms) == len(units):
        return [terms]
    return [*units]


def _auto_size(model: Model, objectives: Sequence[Objective], largest: int) -> int:
    """What the layers that the objectives read need; scores need the whole network."""
    if any(wanted.reads_output for wanted in objectives):
        return largest
    layers = dict.fromkeys(name for wanted in objectives for name in wanted.layers)
    return auto_size(model, layers, largest)


def _faces(objectives: list[Objective], count: int, weight: float, probe: Probe) -> list[Objective]:
    """`count` copies of each objective that are driven apart at the layer they read."""
    layers = probe.layers
    late = layers.last_spatial() or next(iter(layers))
    return [
        wanted + objective("diversity", layer=wanted.layers[0] if wanted.layers else late) * weight
        for wanted in objectives
        for _ in range(count)
    ]


def _require_used(photos: int, start: Start | None, objectives: Sequence[Objective]) -> None:
    """Refuse photos that would be ignored."""
    kinds = {term.kind for objective in objectives for term in objective.terms}
    is_compared = any(objective_kinds.traits(kind).photo for kind in kinds)
    if photos and start in ("noise", "mean") and not is_compared:
        raise OptionError(
            f"With start={start!r} nothing starts from the photo, and no objective compares with"
            " one (match, caricature, difference); leave the photo out."
        )
    if photos > 1 and photos != len(objectives):
        raise OptionError(
            f"{photos} photos were given for {pluralize(len(objectives), 'picture')}; give one, or"
            " one for each."
        )


def _start_image(
    start: Start | None, photos: Tensor | None, size: tuple[int, int], probe: Probe
) -> Tensor | None:
    """What the pictures start from (1 or n, c h w in [0, 1]); None is noise."""
    if start == "noise":
        return None
    if start == "mean":
        model = probe.model
        mean = torch.zeros(1, model.channels, *size, device=model.device)
        return model.deprocess(mean).clamp(0, 1)
    if start == "photo" and photos is None:
        raise OptionError("start='photo' needs a photo; pass photo=.")
    return photos


def _reference(photos: Tensor, objectives: Sequence[Objective], probe: Probe) -> dict[str, Tensor]:
    """The photos' own maps at every layer that the objectives read."""
    layers = list(dict.fromkeys(name for objective in objectives for name in objective.layers))
    return probe.activations(probe.model.preprocess(photos), layers)
