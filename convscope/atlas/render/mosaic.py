"""An activation atlas as one picture: its cells in their grid."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convscope.atlas.store.reader import open_picture, parse_recipe
from convscope.atlas.store.rows import CellColumns
from convscope.errors import InputError

MAX_PIXELS = 100_000_000
"""Of the whole picture: an atlas may come from elsewhere, and a cell may claim any place."""

EMPTIEST = 0.4
"""How large the emptiest cell is drawn beside the fullest (Carter et al., 2019, show by size how
many activations a cell has)."""

CellFacts = tuple[int, int, int, list[list[str | float]]]
"""Row, column, count, and labels with their attribution."""


@dataclass(frozen=True)
class Mosaic:
    """The picture, how many cells it has each way, how many pixels a cell has, and what each cell
    says."""

    png: bytes
    across: int
    down: int
    cell: int
    cells: list[CellFacts]


def draw_mosaic(
    rows: Sequence[CellColumns], pictures: Iterable[tuple[CellColumns, bytes]]
) -> Mosaic:
    """The picture of the cells; rows and columns that are empty at the edges are left out."""
    from PIL import Image

    top, left = min(row["row"] for row in rows), min(row["column"] for row in rows)
    down = max(row["row"] for row in rows) - top + 1
    across = max(row["column"] for row in rows) - left + 1
    largest = max(row["count"] for row in rows)
    side = max(parse_recipe(rows[0]["recipe"])["size"])
    if not 0 < across * down * side * side <= MAX_PIXELS:
        raise InputError(
            f"An activation atlas of {across} x {down} cells of {side} pixels is too large to draw."
        )
    canvas = Image.new("RGBA", (across * side, down * side))
    for row, data in pictures:
        share = EMPTIEST + (1 - EMPTIEST) * (row["count"] / largest) ** 0.5
        scaled = max(1, round(side * share))
        picture = open_picture(data).convert("RGBA")
        picture = picture.resize((scaled, scaled), Image.Resampling.LANCZOS)
        margin = (side - scaled) // 2
        canvas.paste(
            picture, ((row["column"] - left) * side + margin, (row["row"] - top) * side + margin)
        )
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG")
    cells: list[CellFacts] = [
        (row["row"] - top, row["column"] - left, row["count"], json.loads(row["labels"]))
        for row in rows
    ]
    return Mosaic(buffer.getvalue(), across, down, side, cells)
