"""Rows and columns."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from convscope.core.ranges import PositiveInt
from convscope.core.text import visible
from convscope.results.pictures import register
from convscope.results.pictures._layout import add_margin, stack
from convscope.results.pictures._text import (
    FAINT,
    INK,
    MOST_CHARACTERS,
    PAPER,
    RULE,
    draw_text,
    font,
    line_height,
    wrap_text,
)
from convscope.results.result import Result

SIZE, PAD = 14, 12
WIDEST = 420
"""Columns are wrapped at this width."""

FIRST = 200
STRIPE = "#f5f6f8"


@register()
def table(result: Result, *, first: PositiveInt | None = FIRST) -> Image.Image:
    """The table of a result as a picture: numbers to the right, long text wrapped.

    Args:
        first: rows shown; none shows all.
    """
    rows = result.table
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return add_margin(draw_text("no rows", 200, SIZE, ink=FAINT))
    shown = rows[:first]
    cells = [[_cell_text(row.get(name)) for name in names] for row in shown]
    right = [all(_is_number(row.get(name)) for row in shown) for name in names]
    head = [name.replace("_", " ") for name in names]
    widths = [
        _width([head[column], *(row[column] for row in cells)]) for column in range(len(names))
    ]
    lines = [_line(head, widths, right, bold=True, paper=PAPER)]
    lines += [
        _line(row, widths, right, bold=False, paper=STRIPE if index % 2 == 0 else PAPER)
        for index, row in enumerate(cells)
    ]
    ImageDraw.Draw(lines[0]).line(
        (0, lines[0].height - 1, lines[0].width, lines[0].height - 1), fill=RULE, width=2
    )
    if len(shown) < len(rows):
        lines.append(
            draw_text(f"first {len(shown)} of {len(rows)} rows", lines[0].width, SIZE, ink=FAINT)
        )
    return add_margin(stack(lines, 0))


def _is_number(value: object) -> bool:
    """Whether a cell is a number, or empty."""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _cell_text(value: object) -> str:
    """One value as text: thousands set apart, floats with four digits, shapes with signs
    between."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        joint = (
            " \N{MULTIPLICATION SIGN} " if all(isinstance(entry, int) for entry in value) else ", "
        )
        return joint.join(_cell_text(entry) for entry in value)
    return visible(str(value))[:MOST_CHARACTERS]


def _width(column: list[str]) -> int:
    """The width a column needs, up to `WIDEST`."""
    face = font(SIZE, bold=True)
    return min(
        WIDEST,
        math.ceil(
            max(face.getlength(line) for cell in column for line in cell.splitlines() or [""])
        )
        + 2,
    )


def _line(
    cells: list[str], widths: list[int], right: list[bool], *, bold: bool, paper: str
) -> Image.Image:
    """One row, as high as its longest cell."""
    face, step = font(SIZE, bold), line_height(SIZE)
    wrapped = [wrap_text(cell, face, width) for cell, width in zip(cells, widths, strict=True)]
    height = step * max(len(lines) for lines in wrapped) + 6
    line = Image.new("RGB", (sum(widths) + 2 * PAD * len(widths), height), paper)
    draw, left = ImageDraw.Draw(line), 0
    for lines, width, to_right in zip(wrapped, widths, right, strict=True):
        left += PAD
        for row, words in enumerate(lines):
            place = left + width if to_right else left
            draw.text(
                (place, 3 + row * step + step // 2),
                words,
                fill=INK,
                font=face,
                anchor="rm" if to_right else "lm",
            )
        left += width + PAD
    return line
