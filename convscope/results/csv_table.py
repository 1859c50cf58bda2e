"""A table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from convscope.results.provenance import Json, Row, to_json

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell as a formula (OWASP, CSV injection)."""


def to_csv(table: Sequence[Row]) -> bytes:
    """One column for every name that any row has, one line a row, in UTF-8. Text that a spreadsheet
    would run as a formula is preceded by an apostrophe."""
    names = list(dict.fromkeys(name for row in table for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_inert(name) for name in names])
    for row in table:
        writer.writerow([_inert(to_json(row.get(name, ""))) for name in names])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _inert(cell: Json) -> Json:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
