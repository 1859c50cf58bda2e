"""Text, color bars and the laying out of panels on a sheet. Text is wrapped or made smaller, never
cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from convscope.results.pictures._color import Pixels, color

PAPER, INK, FAINT, RULE = "#ffffff", "#1a1a1a", "#5c5c5c", "#d9d9d9"
"""Background, text, secondary text (contrast 6.7 to 1 on white), and lines."""

TEXT, SMALLEST, LARGEST = 15, 11, 30
"""Text height in pixels: on a sheet up to `FULL_WIDTH`, at the least, and at the most."""

FULL_WIDTH = 1000
"""Sheets wider than this will be shown smaller, so their text grows with them."""

LEAST_WIDTH = 300
"""A sheet is at least this wide, so that its heading has room."""

MARGIN = 14
SHAPE = 1.4
"""Width to height that a sheet without a given number of columns comes near to."""

Font = ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Panel:
    """One picture of a sheet, the title above it and a fainter line below."""

    picture: Image.Image
    title: str = ""
    caption: str = ""


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> Font:
    """DejaVu Sans, which matplotlib carries: it scales, and knows accents, Greek, Cyrillic and
    signs."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


def text_size(width: int) -> int:
    """A text height that can be read on a sheet of this width, also when it is shown smaller."""
    return min(max(TEXT, round(TEXT * width / FULL_WIDTH)), LARGEST)


def lines_of(words: str, face: Font, width: int) -> list[str]:
    """Text broken into lines at most `width` wide: at spaces, or inside a word that is wider than
    that by itself."""
    lines: list[str] = []
    for paragraph in words.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            if line and face.getlength(f"{line} {word}") <= width:
                line = f"{line} {word}"
                continue
            if line:
                lines.append(line)
            while len(word) > 1 and face.getlength(word) > width:
                keep = max(
                    1,
                    next(n for n in range(1, len(word) + 1) if face.getlength(word[:n]) > width)
                    - 1,
                )
                lines.append(word[:keep])
                word = word[keep:]
            line = word
        lines.append(line)
    return lines


def fits(words: str, width: int, size: int, bold: bool = False) -> bool:
    """Whether every word fits on a line of its own."""
    return all(font(size, bold).getlength(word) <= width for word in words.split())


def text(
    words: str,
    width: int,
    size: int = TEXT,
    *,
    bold: bool = False,
    ink: str = INK,
    paper: str = PAPER,
    align: Literal["left", "center", "right"] = "left",
) -> Image.Image:
    """Text as a picture exactly `width` wide and as high as it needs; smaller where a word would
    not fit."""
    while size > SMALLEST and not fits(words, width, size, bold):
        size -= 1
    face = font(size, bold)
    lines, step = lines_of(words, face, width), line_height(size)
    picture = Image.new("RGB", (width, step * len(lines)), paper)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        spare = width - face.getlength(line)
        left = {"left": 0.0, "center": spare / 2, "right": spare}[align]
        draw.text((max(0.0, left), row * step + step // 2), line, fill=ink, font=face, anchor="lm")
    return picture


def line_height(size: int) -> int:
    """Height of one line of text."""
    return math.ceil(size * 1.3)


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


def beside(parts: Sequence[Image.Image], gap: int = MARGIN) -> Image.Image:
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


def framed(picture: Image.Image, margin: int = MARGIN) -> Image.Image:
    """A picture with paper around it."""
    sheet = Image.new("RGB", (picture.width + 2 * margin, picture.height + 2 * margin), PAPER)
    sheet.paste(picture, (margin, margin))
    return sheet


def fit(pixels: Pixels, side: int) -> Image.Image:
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


def number(value: float, scale: float) -> str:
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
    labels = [(row, number(value, max(abs(low), abs(high)))) for row, value in places]
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


def columns_for(count: int, width: int, height: int, shape: float = SHAPE) -> int:
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
        columns or columns_for(len(panels), cell, max(panel.picture.height for panel in panels)),
        len(panels),
    )
    total = max(columns * cell + (columns - 1) * gap, LEAST_WIDTH)
    size = size or text_size(total)
    small = max(SMALLEST, round(size * 0.87))
    parts = [text(heading, total, round(size * 1.2), bold=True)] if heading else []
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
        parts.append(text(notes, total, small, ink=FAINT))
    return framed(stack(parts, gap))


def _row(
    panels: Sequence[Panel], cell: int, gap: int, size: int, small: int, *, lone: bool, total: int
) -> Image.Image:
    """One row: titles end at one line and captions begin at one line, however long each of them
    is."""
    width = total if lone else cell
    titles = (
        [text(panel.title, width, size, bold=lone) for panel in panels]
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
            parts.append(text(panel.caption, width, small, ink=FAINT))
        cells.append(stack(parts, 4))
    return beside(cells, gap)
