"""Where a detector sees what."""

from __future__ import annotations

from PIL import Image, ImageDraw

from convscope.core.ranges import Side
from convscope.results.pictures import register
from convscope.results.pictures._layout import MARGIN, add_margin, resize_to_fit, stack
from convscope.results.pictures._text import PAPER, draw_text, font
from convscope.results.pictures.colors import to_rgb
from convscope.results.result import Result

PHOTO_SIDE, SIZE = 640, 15

COLORS = ("#1f77b4", "#d62728", "#1f7a1f", "#8a5cb5", "#b8560a", "#17717f", "#8c564b", "#a8327d")
"""One a class, each with a contrast of 4.5 to 1 or more to the white text on it."""


def class_color(index: int) -> str:
    """The color of a class's boxes."""
    return COLORS[index % len(COLORS)]


@register()
def detections(result: Result, *, longest: Side = PHOTO_SIDE) -> Image.Image:
    """Each photo with its boxes: number, label and probability.

    Reads the table: rows with `photo`, `box`, `label`, `index`, `probability`, `x1` to `y2`.

    Args:
        longest: pixels of a photo's longer side.
    """
    blocks = [_photo(result, place, longest) for place in range(len(result.photos))]
    return add_margin(stack(blocks, MARGIN * 2) if blocks else draw_text("no photo", 220, SIZE))


def _photo(result: Result, place: int, longest: int) -> Image.Image:
    pixels = to_rgb(result.photos[place])
    picture = resize_to_fit(pixels, longest)
    scale = picture.width / pixels.shape[1]
    draw = ImageDraw.Draw(picture)
    face = font(SIZE)
    rows = [row for row in result.table if row["photo"] == place]
    # The surest box is drawn last, on top.
    for row in reversed(rows):
        corners = [float(row[name]) * scale for name in ("x1", "y1", "x2", "y2")]
        color = class_color(int(row["index"]))
        draw.rectangle(corners, outline=color, width=3)
        text = f"{row['box']} {row['label']} {float(row['probability']):.0%}"
        left, top, right, bottom = face.getbbox(text)
        height = bottom - top + 6
        x = min(max(corners[0], 0), picture.width - (right - left) - 8)
        y = corners[1] - height if corners[1] >= height else max(corners[1], 0)
        draw.rectangle((x, y, x + right - left + 8, y + height), fill=color)
        draw.text((x + 4, y + 3 - top), text, fill=PAPER, font=face)
    return picture
