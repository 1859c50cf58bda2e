"""Numbers on a scale, and the scale of a heat map."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from convscope.results.pictures._text import INK, PAPER, RULE, TEXT, font, line_height
from convscope.results.pictures.colors import color


def format_number(value: float, scale: float) -> str:
    """A number on a scale that reaches to `scale`: as many decimals as tell a hundredth of it, the
    same along the scale."""
    if value == 0:
        return "0"
    decimals = 1 - math.floor(math.log10(abs(scale) or 1))
    written = f"{value:.{max(decimals, 0)}f}" if -3 <= decimals <= 5 else f"{value:.1e}"
    return written.replace("-", "\N{MINUS SIGN}")


def color_bar(height: int, colors: str, low: float, high: float, size: int = TEXT) -> Image.Image:
    """A vertical scale: `low` at the bottom, `high` at the top, their middle between, each with its
    number."""
    height = max(height, 3 * line_height(size))
    face, thick, tick = font(size), max(12, size), 5
    places = (
        [(0, high), (height // 2, (low + high) / 2), (height - 1, low)]
        if high > low
        else [(height - 1, low)]
    )
    labels = [(row, format_number(value, max(abs(low), abs(high)))) for row, value in places]
    width = thick + tick + 4 + math.ceil(max(face.getlength(label) for _, label in labels))
    bar = Image.new("RGB", (width, height), PAPER)
    scale = np.repeat(np.linspace(1, 0, height)[:, None], thick, axis=1)
    bar.paste(Image.fromarray(color(scale, colors)), (0, 0))
    draw = ImageDraw.Draw(bar)
    draw.rectangle((0, 0, thick - 1, height - 1), outline=RULE)
    for row, label in labels:
        draw.line((thick, row, thick + tick - 1, row), fill=INK)
        middle = min(max(row, line_height(size) // 2), height - 1 - line_height(size) // 2)
        draw.text((thick + tick + 4, middle), label, fill=INK, font=face, anchor="lm")
    return bar
