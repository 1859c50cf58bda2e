"""Text as pictures: wrapped or made smaller, and cut only where nobody would read on."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import Image, ImageDraw, ImageFont

from convscope.core.text import visible

PAPER, INK, FAINT, RULE = "#ffffff", "#1a1a1a", "#5c5c5c", "#d9d9d9"
"""Background, text, secondary text (contrast 6.7 to 1 on white), and lines."""

TEXT, SMALLEST, LARGEST = 15, 11, 30
"""Text height in pixels: on a sheet up to `FULL_WIDTH`, at the least, and at the most."""

FULL_WIDTH = 1000
"""Sheets wider than this will be shown smaller, so their text grows with them."""

MOST_CHARACTERS = 1000
"""A longer line is cut: a label of 10,000 characters would fill a page."""

Font: TypeAlias = ImageFont.FreeTypeFont


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


def wrap_text(words: str, face: Font, width: int) -> list[str]:
    """Text broken into lines at most `width` wide: at spaces, or inside a word that is wider than
    that by itself."""
    lines: list[str] = []
    for paragraph in _shown(words).splitlines() or [""]:
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


def words_fit(words: str, width: int, size: int, bold: bool = False) -> bool:
    """Whether every word fits on a line of its own."""
    return all(font(size, bold).getlength(word) <= width for word in _shown(words).split())


def _shown(words: str) -> str:
    """Text without invisible characters, each of its lines of a length that can be read."""
    lines = visible(words).splitlines()
    return "\n".join(
        line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]} ..." for line in lines
    )


def draw_text(
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
    while size > SMALLEST and not words_fit(words, width, size, bold):
        size -= 1
    face = font(size, bold)
    lines, step = wrap_text(words, face, width), line_height(size)
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
