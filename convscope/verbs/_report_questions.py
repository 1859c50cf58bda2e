"""What a report asks about: the first things that a network said of a photo, whatever its task."""

from __future__ import annotations

from dataclasses import dataclass

from convscope.results.details import (
    DetectionsDetails,
    PredictionsDetails,
    SegmentationDetails,
)
from convscope.results.provenance import Row
from convscope.results.result import Result


@dataclass(frozen=True)
class Statement:
    """One thing that a network said: its name, how it is asked about, the number beside it, and
    what a bar shows of it, 0 to 1 (None of a value)."""

    label: str
    target: int | str
    amount: str
    share: float | None


def statements(predicted: Result) -> list[Statement]:
    """A statement for each row of a result of `predict`; none of an embedding."""
    details = predicted.details
    if isinstance(details, DetectionsDetails):
        return [_statement(row, f"box:{row['box']}", "probability") for row in predicted.table]
    if isinstance(details, SegmentationDetails):
        return [_statement(row, f"mask:{row['index']}", "share") for row in predicted.table]
    if isinstance(details, PredictionsDetails):
        return [_statement(row, int(row["index"]), "probability") for row in predicted.table]
    return [
        Statement(str(row["label"]), f"value:{row['index']}", f"{row['value']:.4g}", None)
        for row in predicted.table
        if "value" in row
    ]


def goal(predicted: Result) -> str | None:
    """What the photo is changed to: None is the default of `fool`; a value rises by half of its
    size."""
    first = next(iter(statements(predicted)), None)
    if first is None or first.share is not None:
        return None
    value = float(predicted.table[0]["value"])
    return f"{first.target}={value + (abs(value) / 2 or 1.0):.6g}"


def _statement(row: Row, target: int | str, amount: str) -> Statement:
    share = float(row[amount])
    return Statement(str(row["label"]), target, f"{share:.1%}".replace("%", "\u00a0%"), share)
