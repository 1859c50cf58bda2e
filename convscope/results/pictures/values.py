"""The numbers that a network gives for a photo."""

from __future__ import annotations

from PIL import Image

from convscope.core.ranges import Side
from convscope.results.pictures import register
from convscope.results.pictures._layout import (
    MARGIN,
    add_margin,
    place_in_row,
    resize_to_fit,
    stack,
)
from convscope.results.pictures._text import draw_text
from convscope.results.pictures.colors import to_rgb
from convscope.results.result import Result

PHOTO_SIDE, WIDTH, SIZE = 220, 300, 16

MAX_LINES = 12
"""Values written beside a photo; the table has them all."""


@register()
def values(result: Result, *, longest: Side = PHOTO_SIDE) -> Image.Image:
    """Each photo beside the values of a regression, or the size of its embedding.

    Args:
        longest: pixels of a photo's longer side.
    """
    blocks = []
    for place, photo in enumerate(result.photos):
        rows = [row for row in result.table if row["photo"] == place]
        lines = [
            f"{row['label']}: {float(row['value']):.4g}"
            if "value" in row
            else f"embedding of {row['numbers']} numbers, length {float(row['length']):.4g}"
            for row in rows[:MAX_LINES]
        ]
        text = stack([draw_text(line, WIDTH, SIZE) for line in lines], 4)
        blocks.append(place_in_row([resize_to_fit(to_rgb(photo), longest), text], MARGIN * 2))
    return add_margin(stack(blocks, MARGIN * 2))
