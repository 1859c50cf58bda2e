"""An activation atlas as one picture: its cells put into their grid."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SMALL = 0.4
"""How large the emptiest cell is drawn beside the fullest (Carter et al., 2019, show by size how
many activations a cell has)."""


@dataclass(frozen=True)
class Drawn:
    """The picture, how many cells it has each way, how many pixels a cell, and what each cell says:
    row, column, count, labels."""

    png: bytes
    across: int
    down: int
    cell: int
    cells: list[list[Any]]


def draw(rows: list[dict[str, Any]], found: Iterable[tuple[dict[str, Any], bytes]]) -> Drawn:
    """The picture of the cells; rows and columns that are empty at the edges are left out."""
    from PIL import Image

    top, left = min(row["row"] for row in rows), min(row["column"] for row in rows)
    down, across = (
        max(row["row"] for row in rows) - top + 1,
        max(row["column"] for row in rows) - left + 1,
    )
    most = max(row["count"] for row in rows)
    side = max(json.loads(rows[0]["recipe"])["size"])
    parameterization = Image.new("RGBA", (across * side, down * side))
    for row, data in found:
        share = SMALL + (1 - SMALL) * (row["count"] / most) ** 0.5
        own = max(1, round(side * share))
        picture = (
            Image.open(io.BytesIO(data))
            .convert("RGBA")
            .resize((own, own), Image.Resampling.LANCZOS)
        )
        edge = (side - own) // 2
        parameterization.paste(
            picture, ((row["column"] - left) * side + edge, (row["row"] - top) * side + edge)
        )
    buffer = io.BytesIO()
    parameterization.save(buffer, "PNG")
    cells = [
        [row["row"] - top, row["column"] - left, row["count"], json.loads(row["labels"])]
        for row in rows
    ]
    return Drawn(buffer.getvalue(), across, down, side, cells)
