"""What the network says a photo is."""

from __future__ import annotations

from itertools import groupby

from PIL import Image, ImageDraw

from convscope.core.ranges import Side
from convscope.results.pictures import register
from convscope.results.pictures._layout import (
    MARGIN,
    add_margin,
    place_in_row,
    resize_to_fit,
    stack,
)
from convscope.results.pictures._text import INK, PAPER, draw_text, font, line_height
from convscope.results.pictures.colors import to_rgb
from convscope.results.provenance import Row
from convscope.results.result import Result

PHOTO_SIDE, BAR_WIDTH = 220, 300
BAR, TRACK = "#31688e", "#ececec"
"""A blue of viridis (contrast 5.6 to 1 on white), and the empty rest of a bar."""

SIZE = 16


@register()
def predictions(result: Result, *, width: Side = BAR_WIDTH) -> Image.Image:
    """Each photo with its best labels and their probabilities as bars.

    Reads the table: rows with `photo`, `rank`, `label`, `index` and `probability`.

    Args:
        width: pixels that stand for a probability of 1.
    """
    rows = sorted(
        (row for row in result.table if "rank" in row), key=lambda row: (row["photo"], row["rank"])
    )
    blocks = [
        _photo(result, photo, list(group), width)
        for photo, group in groupby(rows, key=lambda row: int(row["photo"]))
    ]
    return add_margin(
        stack(blocks, MARGIN * 2) if blocks else draw_text("no predictions", width, SIZE)
    )


def _photo(result: Result, photo: int, rows: list[Row], width: int) -> Image.Image:
    """One photo beside its bars."""
    bars = stack([_bar(row, width) for row in rows], 10)
    if photo >= len(result.photos):
        return bars
    return place_in_row([resize_to_fit(to_rgb(result.photos[photo]), PHOTO_SIDE), bars], MARGIN * 2)


def _bar(row: Row, width: int) -> Image.Image:
    """A label above its bar, the probability after it."""
    probability = float(row["probability"])
    face, height = font(SIZE), line_height(SIZE)
    room = int(face.getlength("100.0%")) + 10
    bar = Image.new("RGB", (width + room, height), PAPER)
    draw = ImageDraw.Draw(bar)
    draw.rectangle((0, 2, width - 1, height - 4), fill=TRACK)
    filled = round(width * min(max(probability, 0.0), 1.0))
    if filled:
        draw.rectangle((0, 2, filled - 1, height - 4), fill=BAR)
    draw.text((width + 8, height // 2), f"{probability:.1%}", fill=INK, font=face, anchor="lm")
    return stack(
        [draw_text(str(row["label"]), width + room, SIZE, bold=int(row["rank"]) == 1), bar], 0
    )
