from __future__ import annotations

from typing import Any

from convscope.atlas.open import Atlas
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Report, amount, many


def ls(directory: str) -> Report:
    """What an atlas holds: networks, layers, units, examples, and how large it is.

    Args:
        directory: the folder or URL it was built into.

    Raises:
        InputError: there is no atlas.

    Example:
        atlas.ls("atlas/").table
        $ convscope atlas ls atlas/
    """
    store = Store(directory)
    table: list[dict[str, Any]] = []
    for one in Atlas(store).models():
        atlas = Atlas(store, one["model_id"])
        found: dict[str, dict[str, Any]] = {}
        for layer in atlas.layers():
            found[layer] = {"model": f"{one['model']} {one['model_id'][:8]}", "layer": layer}
            found[layer] |= {"units": 0, "pictures": 0, "dead": 0, "failed": 0, "examples": 0}
        units: dict[str, set[int]] = {layer: set() for layer in found}
        for row in atlas:
            counted = found[row["layer"]]
            units[row["layer"]].add(row["unit"])
            counted["pictures"] += not row["dead"] and row["error"] is None
            counted["dead"] += row["dead"]
            counted["failed"] += row["error"] is not None
        for row in atlas.all_examples():
            units[row["layer"]].add(row["unit"])
            found[row["layer"]]["examples"] += 1
        for layer, own in units.items():
            found[layer]["units"] = len(own)
        table += found.values()
    parts = [part for name in store.tables() for part in store.parts(name)]
    size = sum(part.size for part in parts)
    total = sum(row["units"] for row in table)
    layers = many(len(table), "layer")
    sentence = (
        f"{directory}: {many(total, 'unit')} of {layers}, {many(len(parts), 'part')},"
        f" {amount(size)}."
    )
    return Report(sentence, table, {"units": total, "parts": len(parts), "bytes": size})
