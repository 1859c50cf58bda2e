from __future__ import annotations

from pathlib import Path

from convscope.atlas.store.reader import LayerParts, Network, Reader
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.atlas.store.tables import CARDS, EXAMPLES, UNITS
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
    reader = Reader(store)
    table: list[dict[str, str | int]] = []
    num_units = 0
    for network in reader.networks((UNITS, EXAMPLES, CARDS)):
        name = f"{network.model} {network.model_id[:8]}"
        for layer in network.layers:
            counts = _counts(reader, network, layer)
            num_units += counts["units"]
            table.append({"model": name, "layer": layer.name, **counts})
    parts = [part for name in store.tables() for part in store.parts(name)]
    size = sum(part.size for part in parts)
    sentence = (
        f"{directory}: {pluralize(num_units, 'unit')} of {pluralize(len(table), 'layer')},"
        f" {pluralize(len(parts), 'part')}, {format_bytes(size)}."
    )
    return Summary(sentence, table, {"units": num_units, "parts": len(parts), "bytes": size})


def _counts(reader: Reader, network: Network, layer: LayerParts) -> dict[str, int]:
    """Of one layer, from the small columns alone: an atlas may have millions of rows."""
    pictures = [row.columns for row in reader.rows(UNITS, network, layer, ["dead", "error"])]
    cards = [row.columns["unit"] for row in reader.rows(CARDS, network, layer, [])]
    examples = [row.columns["unit"] for row in reader.rows(EXAMPLES, network, layer, [])]
    return {
        "units": len({row["unit"] for row in pictures} | {*cards, *examples}),
        "pictures": sum(not row["dead"] and row["error"] is None for row in pictures),
        "dead": sum(row["dead"] for row in pictures),
        "failed": sum(row["error"] is not None for row in pictures),
        "cards": len(cards),
        "examples": len(examples),
    }
