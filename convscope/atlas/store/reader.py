"""An atlas read layer by layer, never whole: what is there, the rows of one layer, the pictures of
one part at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.tables import CHECKSUM, Table
from convscope.errors import InputError

Values = dict[str, Any]

PART, PLACE = " part", " place"
"""Where a row remembers its part and its place in it; no column has a space in its name."""


@dataclass
class LayerParts:
    """A layer, and by table the parts that hold rows of it."""

    name: str
    depth: int
    parts: dict[str, list[Part]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Network:
    """A network and its layers in the order in which they end while it runs."""

    model: str
    model_id: str
    layers: list[LayerParts]


def networks(store: Store, tables: Iterable[Table]) -> list[Network]:
    """What an atlas holds, from the small columns of its parts.

    Raises:
        InputError: a part is damaged.
    """
    names: dict[str, str] = {}
    found: dict[str, dict[str, LayerParts]] = defaultdict(dict)
    for table in tables:
        for part in store.parts(table.name):
            if store.head(part) is None:
                raise InputError(
                    f"{part.path} is damaged; run convscope atlas verify {store.url} --remove, then"
                    " build again."
                )
            columns = store.read(part, ["model", "model_id", "layer", "depth"]).group_by(
                ["model", "model_id", "layer", "depth"]
            )
            for row in columns.aggregate([]).to_pylist():
                names[row["model_id"]] = row["model"]
                layer = found[row["model_id"]].setdefault(
                    row["layer"], LayerParts(row["layer"], row["depth"])
                )
                layer.parts[table.name].append(part)
    listed = sorted(names.items(), key=lambda one: (one[1], one[0]))
    return [
        Network(
            name,
            identity,
            sorted(found[identity].values(), key=lambda layer: (layer.depth, layer.name)),
        )
        for identity, name in listed
    ]


def rows(
    store: Store,
    table: Table,
    network: Network,
    layer: LayerParts,
    columns: Iterable[str] | None = None,
) -> list[Values]:
    """A layer's rows in the table's order, each once and without its picture."""
    wanted = [
        name
        for name, kind in table.columns.items()
        if not kind.startswith("image") and name != CHECKSUM
    ]
    if columns is not None:
        needed = {"model_id", "layer", *table.identity, *table.order, *columns}
        wanted = [name for name in wanted if name in needed]
    found: dict[tuple[Any, ...], Values] = {}
    # A job's own part comes after merged ones in the listing, and is newer where both are there.
    for part in layer.parts[table.name]:
        for place, values in enumerate(store.read(part, wanted).to_pylist()):
            if (values["model_id"], values["layer"]) == (network.model_id, layer.name):
                found[tuple(values[name] for name in table.identity)] = values | {
                    PART: part,
                    PLACE: place,
                }
    return sorted(found.values(), key=lambda row: tuple(_order(row[name]) for name in table.order))


def pictures(store: Store, found: Iterable[Values]) -> Iterator[tuple[Values, bytes]]:
    """The rows that have a picture, with its bytes, part by part."""
    by_part: dict[str, list[Values]] = defaultdict(list)
    for row in found:
        by_part[row[PART].path].append(row)
    for own in by_part.values():
        column = store.read(own[0][PART], ["image"]).column(0)
        for row in own:
            image = column[row[PLACE]].as_py()
            if image is not None and image["bytes"]:
                yield row, image["bytes"]


def _order(value: Any) -> Any:
    """The best examples come before the sample."""
    return {"top": "0", "sample": "1"}.get(value, value) if isinstance(value, str) else value
