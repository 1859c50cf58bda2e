from __future__ import annotations

from pathlib import Path

from convscope.atlas.atlas import Atlas
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.core.quantities import format_bytes, pluralize
from convscope.core.validation import checked


@checked()
def ls(directory: str | Path) -> Summary:
    """What an atlas holds: networks, layers, units, examples, cards, and how large it is.

    Args:
        directory: the folder or URL it was built into.

    Raises:
        InputError: there is no atlas.

    Example:
        atlas.ls("atlas/").table
        $ convscope atlas ls atlas/
    """
    store = Store(directory)
    table: list[dict[str, str | int]] = []
    num_units = 0
    for network in Atlas(store).models():
        atlas = Atlas(store, network["model_id"])
        for layer in atlas.layers():
            units = len(atlas.units(layer))
            num_units += units
            name = f"{network['model']} {network['model_id'][:8]}"
            table.append({"model": name, "layer": layer, "units": units, **_counts(atlas, layer)})
    parts = [part for name in store.tables() for part in store.parts(name)]
    size = sum(part.size for part in parts)
    sentence = (
        f"{directory}: {pluralize(num_units, 'unit')} of {pluralize(len(table), 'layer')},"
        f" {pluralize(len(parts), 'part')}, {format_bytes(size)}."
    )
    return Summary(sentence, table, {"units": num_units, "parts": len(parts), "bytes": size})


def _counts(atlas: Atlas, layer: str) -> dict[str, str | int]:
    rows = [row.columns for row in atlas.rows(layer)]
    return {
        "pictures": sum(not row["dead"] and row["error"] is None for row in rows),
        "dead": sum(row["dead"] for row in rows),
        "failed": sum(row["error"] is not None for row in rows),
        "cards": sum(row.columns["layer"] == layer for row in atlas.all_cards()),
        "examples": sum(row.columns["layer"] == layer for row in atlas.all_examples()),
    }
