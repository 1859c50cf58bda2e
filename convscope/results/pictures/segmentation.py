"""Which part of a photo is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from convscope.core.ranges import Side
from convscope.results.details import SegmentationDetails
from convscope.results.pictures import register
from convscope.results.pictures._layout import (
    MARGIN,
    add_margin,
    place_in_row,
    resize_to_fit,
    stack,
)
from convscope.results.pictures._text import draw_text, line_height
from convscope.results.pictures.colors import Map, to_rgb
from convscope.results.pictures.detections import COLORS
from convscope.results.provenance import Row
from convscope.results.result import Result

PHOTO_SIDE, SIZE, LEGEND = 420, 15, 220

OPACITY = 0.55
"""Of the color of a class over the photo."""


@register()
def segmentation(result: Result, *, longest: Side = PHOTO_SIDE) -> Image.Image:
    """Each photo with every class in a color, and the classes with their share of the photo.

    Reads `segmentation` (n h w), and the table's `index`, `label` and `share`.

    Args:
        longest: pixels of a photo's longer side.
    """
    blocks = [_photo(result, place, longest) for place in range(len(result.photos))]
    return add_margin(stack(blocks, MARGIN * 2))


def class_colors(rows: Sequence[Row]) -> dict[int, str]:
    """A color for each class of a photo's rows."""
    return {int(row["index"]): COLORS[rank % len(COLORS)] for rank, row in enumerate(rows)}


def class_masks(labels: Map, colors: Mapping[int, str]) -> Image.Image:
    """The classes of all places (`h w`) in their colors, transparent where a class has none."""
    levels = np.zeros(labels.shape, np.uint8)
    for level, index in enumerate(colors, start=1):
        levels[labels == index] = level
    picture = Image.fromarray(levels)
    table = [(0, 0, 0), *(ImageColor.getrgb(color)[:3] for color in colors.values())]
    picture.putpalette([value for entry in table for value in entry])
    picture.info["transparency"] = 0
    return picture


def _photo(result: Result, place: int, longest: int) -> Image.Image:
    details = result.details_as(SegmentationDetails)
    photo = Image.fromarray(np.ascontiguousarray(to_rgb(result.photos[place])))
    rows = [row for row in result.table if row["photo"] == place]
    colors = class_colors(rows)
    top, left, height, width = (round(value) for value in details.boxes[place])
    labels = result["segmentation"][place].astype(np.int32)
    for index, color in colors.items():
        cells = Image.fromarray((labels == index).astype(np.uint8) * round(255 * OPACITY))
        mask = Image.new("L", photo.size, 0)
        mask.paste(cells.resize((width, height), Image.Resampling.NEAREST), (left, top))
        photo.paste(Image.new("RGB", photo.size, color), (0, 0), mask)
    legend = [
        _line(colors[int(row["index"])], f"{row['label']} {float(row['share']):.0%}")
        for row in rows
    ]
    if not legend:
        legend = [draw_text("nothing found", LEGEND, SIZE)]
    return place_in_row([resize_to_fit(np.asarray(photo), longest), stack(legend, 4)], MARGIN * 2)


def _line(color: str, text: str) -> Image.Image:
    side = line_height(SIZE) - 6
    swatch = Image.new("RGB", (side, side), color)
    ImageDraw.Draw(swatch).rectangle((0, 0, side - 1, side - 1), outline="#444444")
    return place_in_row([swatch, draw_text(text, LEGEND, SIZE)], 8)
