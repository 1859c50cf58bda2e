"""What the cards of concepts show: pictures that excite them, and the crops they fire most on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.concepts.crops import CROP
from convscope.networks.model import Model
from convscope.results.arrays import to_numpy
from convscope.results.details import AttributionDetails, ConceptCardsDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.verbs._small_pictures import small_pictures

CROPS, CROP_SIDE = 4, 96
"""Crops of a card, each of another photo where there are so many, and their side in pixels."""


def with_cards(result: Result, model: Model, photos: Sequence[Tensor], seed: int) -> Result:
    """A result of `concepts` drawn as cards, with `picture` (k 3 s s) and `crop` (k 4 3 s s)."""
    details = result.details_as(AttributionDetails)
    layer, count = str(details.layer), len(details.titles)
    directions = [
        objective("direction", layer=layer, vector=tuple(direction.tolist()))
        for direction in result["directions"][:count]
    ]
    pictures = small_pictures(model, directions, seed)
    coefficients = torch.from_numpy(result["coefficients"])
    boxes = model.preprocessing.box
    crops = torch.stack(
        [
            torch.stack(
                [
                    _crop(photos[at], coefficients[at, index], boxes(*photos[at].shape[-2:]))
                    for at in _best_photos(coefficients[:, index])
                ]
            )
            for index in range(count)
        ]
    )
    cards = ConceptCardsDetails(
        titles=details.titles,
        photo_of=details.photo_of,
        boxes=details.boxes,
        targets=details.targets,
        captions=[_caption(row) for row in result.table[:count]],
        method=details.method,
        layer=layer,
    )
    arrays = result.arrays | {"picture": pictures["image"], "crop": to_numpy(crops)}
    return replace(result, details=cards, arrays=arrays)


def _best_photos(maps: Tensor) -> list[int]:
    """The photos on which a concept (n h w) fires most, repeated where there are too few."""
    order = maps.amax((1, 2)).argsort(descending=True, stable=True).tolist()
    return [order[place % len(order)] for place in range(CROPS)]


def _crop(photo: Tensor, map_: Tensor, box: tuple[float, float, float, float]) -> Tensor:
    """The part of a photo (1 c h w) around the highest place of a map (h w) (3 s s)."""
    top, left, tall, wide = box
    rows, columns = map_.shape
    row, column = divmod(int(map_.argmax()), columns)
    side = max(1, round(CROP * min(tall, wide)))
    height, width = photo.shape[-2:]
    middle = top + (row + 0.5) * tall / rows, left + (column + 0.5) * wide / columns
    above = min(max(round(middle[0] - side / 2), 0), max(height - side, 0))
    before = min(max(round(middle[1] - side / 2), 0), max(width - side, 0))
    part = photo[..., above : above + side, before : before + side].float()
    square: Tensor = interpolate(part, (CROP_SIDE, CROP_SIDE), mode="bilinear")[0]
    return square[:3] if len(square) >= 3 else square[:1].expand(3, -1, -1)


def _caption(row: Row) -> str:
    """How much a concept matters, and whether it is stable, where these were measured."""
    parts = []
    if "importance" in row:
        interval = "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"
        parts += [f"importance {row['importance']:.2f}{interval}", f"most for {row['matters_for']}"]
    if "stability" in row:
        parts.append(f"stability {row['stability']:.2f}")
    return ", ".join(parts)
