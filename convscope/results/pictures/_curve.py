"""A score over the steps of an optimization."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from convscope.core.text import visible
from convscope.errors import NumericError
from convscope.results.pictures._bar import format_number
from convscope.results.pictures._text import (
    FAINT,
    INK,
    MOST_CHARACTERS,
    PAPER,
    RULE,
    font,
    line_height,
    text_size,
)
from convscope.results.pictures.colors import Map

LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Colors of lines that color-blind readers can tell apart (Okabe and Ito, 2008)."""

MOST_NAMES = len(LINES)


def curve_picture(scores: Map, names: list[str], width: int) -> Image.Image:
    """Scores (`n steps`) as lines in one frame, with the range on the left and the steps below; up
    to six are named.

    Raises:
        NumericError: NaN or infinity.
    """
    low, high = float(scores.min()), float(scores.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NumericError("The scores to draw hold NaN or infinity; the optimization went wrong.")
    size = text_size(width)
    face, step = font(size), line_height(size)
    left = (
        math.ceil(max(face.getlength(format_number(value, high - low)) for value in (low, high)))
        + 26
    )
    named = names if 1 < len(names) <= MOST_NAMES else []
    height, right, top = max(140, width // 5), width - 20, step
    picture = Image.new("RGB", (width, top + height + step * (2 + len(named))), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((left, 0), "score", fill=FAINT, font=face)
    draw.rectangle((left, top, right, top + height), outline=RULE)
    for value, row in ((high, top + step // 2), (low, top + height - step // 2)):
        draw.text(
            (left - 8, row), format_number(value, high - low), fill=INK, font=face, anchor="rm"
        )
    last = scores.shape[1] - 1
    draw.text((left, top + height + 2), "step 0", fill=FAINT, font=face)
    draw.text((right, top + height + 2), str(last), fill=FAINT, font=face, anchor="ra")
    for index, line in enumerate(scores):
        ink = LINES[index % len(LINES)]
        points = [
            (
                left + (right - left) * at / max(last, 1),
                top + height - height * (float(value) - low) / ((high - low) or 1),
            )
            for at, value in enumerate(line)
        ]
        draw.line(points if len(points) > 1 else points * 2, fill=ink, width=2, joint="curve")
        if named:
            row = top + height + step * (index + 1) + step // 2
            draw.line((left, row, left + 24, row), fill=ink, width=3)
            draw.text(
                (left + 32, row),
                visible(names[index])[:MOST_CHARACTERS],
                fill=INK,
                font=face,
                anchor="lm",
            )
    return picture
