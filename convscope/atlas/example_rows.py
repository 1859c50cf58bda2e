"""A unit's examples where several passes over photos have left some."""

from __future__ import annotations

from collections.abc import Iterable

from convscope.atlas.store.reader import Row
from convscope.atlas.store.rows import ExampleColumns

PhotosByName = dict[str, ExampleColumns]
"""The rows of a unit's best photos, by the photo's name."""


def best_first(rows: Iterable[Row[ExampleColumns]]) -> list[Row[ExampleColumns]]:
    """The photos that excite a unit most, best first, and then the sample, lowest first, whichever
    pass they are from. Equal values keep their order."""

    def order(row: Row[ExampleColumns]) -> tuple[int, bool, float]:
        columns = row.columns
        is_sample = columns["kind"] != "top"
        return columns["unit"], is_sample, columns["value"] if is_sample else -columns["value"]

    return sorted(rows, key=order)


def best_by_listing(rows: Iterable[Row[ExampleColumns]]) -> dict[str, PhotosByName]:
    """A unit's best photos by the listing they are from (`photos`, its digest): "0.png" of one
    folder is not that of another. A photo that two passes over one listing saw is there once."""
    listings: dict[str, PhotosByName] = {}
    for row in rows:
        columns = row.columns
        if columns["kind"] == "top":
            listings.setdefault(columns["photos"], {})[columns["photo"]] = columns
    return listings
