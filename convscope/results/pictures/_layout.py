"""Pictures put together: below each other, in rows, in columns, and as panels on a sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from convscope.results.pictures._text import FAINT, PAPER, SMALLEST, draw_text, text_size
from convscope.results.pictures.colors import Pixels

LEAST_WIDTH = 300
"""A sheet is at least this wide, so that its heading has room."""

MARGIN = 14
SHAPE = 1.4
"""Width to height that a sheet without a given number of columns comes near to."""


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet, the title above it and a fainter line below."""

    picture: Image.Image
    title: str = ""
    caption: str = ""


def stack(
    parts: Sequence[Image.Image], gap: int = 6, align: Literal["left", "center"] = "left"
) -> Image.Image:
    """Pictures one below the other."""
    width = max(part.width for part in parts)
    sheet = Image.new(
        "RGB", (width, sum(part.height for part in parts) + gap * (len(parts) - 1)), PAPER
    )
    top = 0
    for part in parts:
        sheet.paste(part, ((width - part.width) // 2 if align == "center" else 0, top))
        top += part.height + gap
    return sheet


def place_in_columns(rows: Sequence[Sequence[Image.Image]], gap: int = MARGIN) -> Image.Image:
    """Rows of pictures as a table: every column as wide as its widest picture, tops in line."""
    widths = [max(picture.width for picture in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        height = max(picture.height for picture in row)
        line = Image.new("RGB", (sum(widths) + gap * (len(row) - 1), height), PAPER)
        left = 0
        for picture, width in zip(row, widths, strict=True):
            line.paste(picture, (left, 0))
            left += width + gap
        lines.append(line)
    return stack(lines, gap)


def place_in_row(parts: Sequence[Image.Image], gap: int = MARGIN) -> Image.Image:
    """Pictures next to each other, their tops in line."""
    sheet = Image.new(
        "RGB",
        (
            sum(part.width for part in parts) + gap * (len(parts) - 1),
            max(part.height for part in parts),
        ),
        PAPER,
    )
    left = 0
    for part in parts:
        sheet.paste(part, (left, 0))
        left += part.width + gap
    return sheet


def add_margin(picture: Image.Image, margin: int = MARGIN) -> Image.Image:
    """A picture with paper around it."""
    sheet = Image.new("RGB", (picture.width + 2 * margin, picture.height + 2 * margin), PAPER)
    sheet.paste(picture, (margin, margin))
    return sheet


def resize_to_fit(pixels: Pixels, side: int) -> Image.Image:
    """Pixels brought near to `side` on their longer side: shrunk smoothly, or enlarged by a whole
    factor with hard edges."""
    picture = Image.fromarray(pixels)
    longest = max(picture.size)
    if longest > side:
        size = (
            max(1, round(picture.width * side / longest)),
            max(1, round(picture.height * side / longest)),
        )
        return picture.resize(size, Image.Resampling.LANCZOS)
    return picture.resize(
        (picture.width * (side // longest), picture.height * (side // longest)),
        Image.Resampling.NEAREST,
    )


def choose_columns(count: int, width: int, height: int, shape: float = SHAPE) -> int:
    """How many columns bring `count` cells of that size nearest to a shape (width to height), with
    few cells left over."""

    def badness(columns: int) -> float:
        rows = math.ceil(count / columns)
        return (
            abs(math.log(columns * width / (rows * height) / shape))
            + (rows * columns - count) / count
        )

    return min(range(count, 0, -1), key=badness)


def sheet(
    panels: Sequence[Panel],
    *,
    columns: int | None = None,
    heading: str = "",
    notes: str = "",
    gap: int = MARGIN,
    size: int | None = None,
) -> Image.Image:
    """Panels in rows with their titles, a heading above and notes below; `columns` None chooses by
    shape."""
    cell = max(panel.picture.width for panel in panels)
    columns = min(
        columns or choose_columns(len(panels), cell, max(panel.picture.height for panel in panels)),
        len(panels),
    )
    total = max(columns * cell + (columns - 1) * gap, LEAST_WIDTH)
    size = size or text_size(total)
    small = max(SMALLEST, round(size * 0.87))
    parts = [draw_text(heading, total, round(size * 1.2), bold=True)] if heading else []
    for start in range(0, len(panels), columns):
        parts.append(
            _row(
                panels[start : start + columns],
                cell,
                gap,
                size,
                small,
                lone=columns == 1,
                total=total,
            )
        )
    if notes:
        parts.append(draw_text(notes, total, small, ink=FAINT))
    return add_margin(stack(parts, gap))


def _row(
    panels: Sequence[Panel], cell: int, gap: int, size: int, small: int, *, lone: bool, total: int
) -> Image.Image:
    """One row: titles end at one line and captions begin at one line, however long each of them
    is."""
    width = total if lone else cell
    titles = (
        [draw_text(panel.title, width, size, bold=lone) for panel in panels]
        if any(panel.title for panel in panels)
        else []
    )
    deepest = max((title.height for title in titles), default=0)
    tallest = max(panel.picture.height for panel in panels)
    cells = []
    for index, panel in enumerate(panels):
        parts = []
        if titles:
            above = Image.new("RGB", (width, deepest), PAPER)
            above.paste(titles[index], (0, deepest - titles[index].height))
            parts.append(above)
        held = Image.new("RGB", (width, tallest), PAPER)
        held.paste(panel.picture, (0, 0))
        parts.append(held)
        if panel.caption:
            parts.append(draw_text(panel.caption, width, small, ink=FAINT))
        cells.append(stack(parts, 4))
    return place_in_row(cells, gap)
