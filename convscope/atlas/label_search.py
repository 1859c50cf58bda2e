"""Which units have photos of a label among their best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from convscope.atlas.example_rows import best_by_listing
from convscope.atlas.store.reader import Row, natural_order
from convscope.atlas.store.rows import ExampleColumns
from convscope.errors import InputError, suggest


class LabeledUnit(TypedDict):
    """A unit, the share of its best photos that bear a label, and its highest value on them."""

    layer: str
    unit: int
    share: float
    value: float


def search_label(
    examples: Mapping[tuple[str, int], Sequence[Row[ExampleColumns]]], label: str, n: int
) -> list[LabeledUnit]:
    """The `n` units with the largest share of best photos that bear a label with this in it,
    whatever its capitals; `examples` are the rows by layer and unit. Where a unit has photos from
    several listings, those of the listing with the largest share count.

    Raises:
        InputError: no photo has such a label.
    """
    units: list[tuple[float, str, int, float]] = []
    labels: set[str] = set()
    for (layer, unit), rows in examples.items():
        shares: list[tuple[float, float]] = []
        for photos in best_by_listing(rows).values():
            labels |= {top["label"] for top in photos.values() if top["label"]}
            values = [
                top["value"]
                for top in photos.values()
                if top["label"] and label.lower() in top["label"].lower()
            ]
            if values:
                shares.append((len(values) / len(photos), max(values)))
        if shares:
            share, value = max(shares)
            units.append((share, layer, unit, value))
    if not units:
        known = sorted(labels)
        hint = suggest(label, known) if known else "the photos have no labels."
        raise InputError(f"No unit's best photos bear the label {label!r}; {hint}")
    units.sort(key=lambda entry: (-entry[0], natural_order(entry[1]), entry[2]))
    return [
        {"layer": layer, "unit": unit, "share": share, "value": value}
        for share, layer, unit, value in units[:n]
    ]
