from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from convscope.core.ranges import PositiveInt, Seed, Side, Steps
from convscope.errors import NumericError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import channel
from convscope.synthesis.optimize_batches import BatchOptions, optimize_batches
from convscope.synthesis.settings import Settings
from convscope.verbs._places import pooled_activations
from convscope.verbs._synthesis import images_result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

GAP = 1 / 8
"""Between two cells, as a share of a picture's side."""

SILENT = -1
"""In place of a unit, where fewer fire."""


@verb
def semantic_dictionary(
    model: Model,
    photo: PhotoLike,
    *,
    layer: str | None = None,
    cells: PositiveInt = 4,
    top: PositiveInt = 4,
    size: Side = 64,
    preset: str = "quick",
    steps: Steps = 48,
    seed: Seed = 0,
    batch: PositiveInt = 64,
) -> Result:
    """A photo in the words of a layer: at each place the units that fire most, each shown by what
    excites it (the semantic dictionary of Olah et al., The Building Blocks of Interpretability,
    2018).

    `result["image"]` is n 3 H W in [0, 1], a grid for each photo: a cell holds the pictures of its
    `top` units, the strongest at the top left, gray where fewer fire. `result["unit"]` and
    `result["activation"]` (n k h w) are the units, -1 where fewer fire, and how strongly they
    fire; `result["pattern"]` (m 3 s s) are the pictures of the units in order of their number, and
    `result["score"]` (m steps) how they were raised. `result.table` has a row for each place and
    unit. A layer with more places than `cells` a side is averaged over equal areas first.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layer: the layer; by default the last one whose output still has places.
        cells: at most so many cells a side, up to 16.
        top: units of a cell.
        size: height and width of a unit's picture in pixels.
        preset: a published way of making pictures.
        steps: of each unit's picture.
        seed: of the one random generator.
        batch: pictures optimized at once.

    Raises:
        LayerError: no such layer, or one without places.
        NumericError: no unit fires anywhere.

    Example:
        convscope.semantic_dictionary(model, "cat.jpg", layer="blocks.5")
        $ convscope semantic_dictionary cat.jpg --layer blocks.5 --out words.png
    """
    settings = Settings(preset, "visualize", model.preprocessing, steps=steps, size=size)
    image = network_input(model, photo)
    with Probe(model) as probe:
        name, maps = pooled_activations(probe, image, layer, cells)
        activation, unit = maps.topk(min(top, maps.shape[1]), dim=1)
        unit = unit.where(activation > 0, SILENT)
        units = sorted(set(unit.flatten().tolist()) - {SILENT})
        if not units:
            raise NumericError(f"No unit of {name!r} fires on these photos.")
        optimization = optimize_batches(
            probe,
            [channel(name, index) for index in units],
            settings,
            BatchOptions(seed, batch, task=f"semantic dictionary of {name}"),
        )
    patterns = optimization.image.float().cpu().clamp(0, 1)
    details = ImagesDetails(titles=[name] * len(photo), layer=name, preset=settings.title)
    result = images_result("semantic_dictionary", optimization, details, bytes_of(photo))
    rank = {index: place for place, index in enumerate(units)}
    arrays = {
        "image": to_numpy(_grids(patterns, unit.cpu(), rank)),
        "unit": to_numpy(unit.float()),
        "activation": to_numpy(activation.clamp_min(0)),
        "pattern": to_numpy(patterns),
        "score": result["score"],
    }
    # The pictures of single units, which may be dead, are no pictures of the result.
    ended = replace(result.details_as(ImagesDetails), titles=details.titles, dead=[])
    return replace(result, arrays=arrays, details=ended, table=_rows(unit, activation))


def _grids(patterns: Tensor, unit: Tensor, rank: dict[int, int]) -> Tensor:
    """The pictures (m 3 s s) of each place's units (n k h w) as a grid a photo (n 3 H W)."""
    count, top, height, width = unit.shape
    size = patterns.shape[-1]
    side = math.ceil(math.sqrt(top))
    lines = math.ceil(top / side)
    gap = max(1, round(size * GAP))
    tall, wide = lines * size + gap, side * size + gap
    grids = torch.full((count, patterns.shape[1], height * tall - gap, width * wide - gap), 1.0)
    for at, place, row, column in torch.cartesian_prod(
        *(torch.arange(length) for length in (count, top, height, width))
    ).tolist():
        line, slot = divmod(place, side)
        above, left = row * tall + line * size, column * wide + slot * size
        index = int(unit[at, place, row, column])
        grids[at, :, above : above + size, left : left + size] = (
            0.5 if index == SILENT else patterns[rank[index]]
        )
    return grids


def _rows(unit: Tensor, activation: Tensor) -> list[Row]:
    """A row for each place and unit that fires, place by place, the strongest first."""
    return [
        {
            "photo": at,
            "row": row,
            "column": column,
            "rank": place + 1,
            "unit": int(unit[at, place, row, column]),
            "activation": float(activation[at, place, row, column]),
        }
        for at in range(unit.shape[0])
        for row in range(unit.shape[2])
        for column in range(unit.shape[3])
        for place in range(unit.shape[1])
        if unit[at, place, row, column] != SILENT
    ]
