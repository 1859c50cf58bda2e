"""A table as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from convscope.results.provenance import Row, to_json


def to_csv(table: Sequence[Row]) -> bytes:
    """One column for every name that any row has, one line a row, in UTF-8."""
    names = list(dict.fromkeys(name for row in table for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(to_json(table))
    return text.getvalue().encode()
