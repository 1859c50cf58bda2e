from __future__ import annotations

import io
import json
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from convscope.atlas.store.store import Part, Store
from convscope.atlas.store.summary import many
from convscope.atlas.store.tables import EXAMPLES, SKIPPED, UNITS, Table
from convscope.errors import InputError, LayerError, OptionError, UnitError, suggest

if TYPE_CHECKING:
    from PIL.Image import Image

HELD = 8
"""Parts whose pictures are held in memory."""


def open(directory: str, *, model: str | None = None) -> Atlas:
    """An atlas to read: rows and pictures by layer and unit, similar units, search by label.

    Args:
        directory: the folder or URL it was built into.
        model: where it holds several networks, the name of one, or the beginning of its hash.

    Raises:
        InputError: there is no atlas, or it was written by another version.

    Example:
        found = atlas.open("atlas/")
        found.unit("blocks.3", 11)[0].picture.show()
    """
    return Atlas(Store(directory), model)


class Row(Mapping[str, Any]):
    """One row, by column; `picture` is its image, read when it is asked for."""

    def __init__(self, atlas: Atlas, part: Part, place: int, values: dict[str, Any]) -> None:
        self._atlas, self._part, self._place, self._values = atlas, part, place, values

    def __getitem__(self, name: str) -> Any:
        if name == "image":
            return self._atlas._image(self._part, self._place)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._values, "image"])

    def __len__(self) -> int:
        return len(self._values) + 1

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name} {self._values[name]}"
            for name in ("kind", "rank", "face", "score", "value", "photo")
            if name in self._values
        )
        return f"<{self['layer']}:{self['unit']} {shown}>"

    @property
    def recipe(self) -> dict[str, Any]:
        """How it was made."""
        found: dict[str, Any] = json.loads(self["recipe"])
        return found

    @property
    def bytes(self) -> bytes | None:
        """The picture as it is stored (PNG or JPEG), or None where there is none."""
        image = self["image"]
        return None if image is None else image["bytes"]

    @property
    def picture(self) -> Image | None:
        """The picture, or None where the unit is dead or failed."""
        data = self.bytes
        if data is None:
            return None
        from PIL import Image

        found = Image.open(io.BytesIO(data))
        found.load()
        return found


class Atlas:
    """The rows of one network in an atlas. What is read is remembered; `reload` forgets it.

    Iterating gives a row for each picture, layer by layer.
    """

    def __init__(self, store: Store, model: str | None = None) -> None:
        self.store = store
        self._wanted = model
        self._tables: dict[str, list[Row]] = {}
        self._pictures: OrderedDict[str, Any] = OrderedDict()

    def __repr__(self) -> str:
        return (
            f"<Atlas {self.store.url}: {many(len(self), 'picture')} of"
            f" {many(len(self.layers()), 'layer')}>"
        )

    def __len__(self) -> int:
        return len(self.rows())

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows())

    def reload(self) -> None:
        """Read anew what is there now."""
        self._tables.clear()
        self._pictures.clear()
        self.__dict__.pop("_model_id", None)

    def models(self) -> list[dict[str, str]]:
        """The networks that are there: name and hash."""
        found = {
            row["model_id"]: row["model"] for name in (UNITS, EXAMPLES) for row in self._all(name)
        }
        return [
            {"model": name, "model_id": identity}
            for identity, name in sorted(found.items(), key=lambda pair: (pair[1], pair[0]))
        ]

    @cached_property
    def _model_id(self) -> str | None:
        known = self.models()
        if self._wanted is None and len(known) > 1:
            names = ", ".join(f"{one['model']} ({one['model_id'][:8]})" for one in known)
            raise OptionError(
                f"The atlas holds {len(known)} networks: {names}; say which with model=."
            )
        fitting = [
            one
            for one in known
            if self._wanted is None
            or one["model"] == self._wanted
            or one["model_id"].startswith(self._wanted)
        ]
        if known and len(fitting) != 1:
            written = [one["model"] for one in known] + [one["model_id"][:8] for one in known]
            raise OptionError(
                f"{self._wanted!r} is not one of the atlas's networks;"
                f" {suggest(str(self._wanted), written)}"
            )
        return fitting[0]["model_id"] if fitting else None

    def layers(self) -> list[str]:
        """The layers, in the order in which they end while the network runs."""
        depths = {row["layer"]: row["depth"] for row in [*self._own(UNITS), *self._own(EXAMPLES)]}
        return sorted(depths, key=lambda name: (depths[name], _natural(name)))

    def units(self, layer: str) -> list[int]:
        """The units of a layer that are there."""
        self._check(layer)
        return sorted(
            {row["unit"] for row in [*self.rows(), *self._own(EXAMPLES)] if row["layer"] == layer}
        )

    def rows(self, layer: str | None = None) -> list[Row]:
        """A row for each picture, of one layer or of all."""
        found = self._own(UNITS)
        if layer is not None:
            self._check(layer)
            found = [row for row in found if row["layer"] == layer]
        return found

    def unit(self, layer: str, index: int | None = None) -> list[Row]:
        """The pictures of one unit, `("blocks.3", 11)` or "blocks.3:11": one, or one for each face
        and recipe.

        Raises:
            LayerError, UnitError: it is not in the atlas.
        """
        layer, index = self._parsed(layer, index)
        return self._index.get((layer, index), [])

    def examples(
        self, layer: str, index: int | None = None, *, kind: Literal["top", "sample"] | None = None
    ) -> list[Row]:
        """The photos of one unit: those that excite it most, best first, and a sample over its
        range, lowest first."""
        layer, index = self._parsed(layer, index)
        found = self._examples_index.get((layer, index), [])
        return [row for row in found if kind is None or row["kind"] == kind]

    def all_examples(self) -> list[Row]:
        """The photos of all units."""
        return self._own(EXAMPLES)

    def skipped(self) -> list[Row]:
        """The photos that could not be read, with the reason."""
        return self._own(SKIPPED)

    def similar(
        self,
        layer: str,
        index: int | None = None,
        *,
        by: Literal["examples", "weights"] = "examples",
        n: int = 8,
        model: Any = None,
    ) -> list[dict[str, Any]]:
        """The units most like one, with the cosine between them.

        By "examples": of the photos that excite each most, as vectors of values over photos; units
        of all layers. By "weights": of the weights that come into each unit, in its own layer; this
        needs the network.

        Raises:
            OptionError: another way, or weights without the network.
            InputError: no examples have been looked for.
        """
        layer, index = self._parsed(layer, index)
        if by == "examples":
            found = self._by_examples(layer, index)
        elif by == "weights":
            if model is None:
                raise OptionError("Similar units by weights need the network; pass model=.")
            found = self._by_weights(layer, index, model)
        else:
            raise OptionError(
                f"Units are compared by 'examples' or by 'weights'; {by!r} was given."
            )
        found.sort(key=lambda row: (-row["cosine"], row["layer"], row["unit"]))
        return found[:n]

    def search(self, label: str, *, n: int = 20) -> list[dict[str, Any]]:
        """The units whose best photos bear a label with this in it; `share` is how many of them do.
        Capitals do not matter.

        Raises:
            InputError: no photo has such a label.
        """
        tops: dict[tuple[str, int], list[Row]] = defaultdict(list)
        labels: set[str] = set()
        for row in self._own(EXAMPLES):
            if row["kind"] == "top":
                tops[row["layer"], row["unit"]].append(row)
                labels |= {row["label"]} if row["label"] else set()
        found = []
        for (layer, unit), rows in tops.items():
            fitting = [
                row for row in rows if row["label"] and label.lower() in row["label"].lower()
            ]
            if fitting:
                share = len(fitting) / len(rows)
                found.append(
                    {
                        "layer": layer,
                        "unit": unit,
                        "share": share,
                        "value": max(row["value"] for row in fitting),
                    }
                )
        if not found:
            hint = suggest(label, sorted(labels)) if labels else "the photos have no labels."
            raise InputError(f"No unit's best photos bear the label {label!r}; {hint}")
        return sorted(found, key=lambda row: (-row["share"], _natural(row["layer"]), row["unit"]))[
            :n
        ]

    def _by_examples(self, layer: str, index: int) -> list[dict[str, Any]]:
        vectors: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
        for row in self._own(EXAMPLES):
            if row["kind"] == "top":
                vectors[row["layer"], row["unit"]][row["photo"]] = row["value"]
        own = vectors.get((layer, index))
        if own is None:
            raise InputError(
                f"{layer}:{index} has no examples; make them with convscope atlas examples, or"
                " compare by weights."
            )
        found = []
        for (other, unit), vector in vectors.items():
            if (other, unit) != (layer, index):
                product = sum(
                    value * vector[photo] for photo, value in own.items() if photo in vector
                )
                size = _norm(own.values()) * _norm(vector.values())
                found.append(
                    {"layer": other, "unit": unit, "cosine": product / size if size else 0.0}
                )
        return found

    def _by_weights(self, layer: str, index: int, model: Any) -> list[dict[str, Any]]:
        from convscope.atlas.scan.incoming_weights import incoming
        from convscope.networks.load import load_model

        loaded = load_model(model)
        if self._model_id is not None and loaded.identity != self._model_id:
            raise OptionError(
                f"The atlas is of another network than {loaded.name}, or of other weights; pass the"
                " one it was built from."
            )
        weights = incoming(loaded, layer)
        weights = weights / weights.norm(dim=1, keepdim=True).clamp_min(1e-12)
        cosine = (weights @ weights[index]).tolist()
        return [
            {"layer": layer, "unit": unit, "cosine": value}
            for unit, value in enumerate(cosine)
            if unit != index
        ]

    def _parsed(self, layer: str, index: int | None) -> tuple[str, int]:
        if index is None:
            layer, colon, number = layer.rpartition(":")
            if not colon or not number.isdigit():
                raise UnitError(
                    f"A unit is written layer:index; {(layer + colon + number)!r} was given."
                )
            index = int(number)
        self._check(layer)
        if (layer, index) not in self._index and (layer, index) not in self._examples_index:
            there = self.units(layer)
            raise UnitError(
                f"The atlas has {many(len(there), 'unit')} of {layer!r}, {there[0]} to {there[-1]};"
                f" {index} was given."
            )
        return layer, index

    def _check(self, layer: str) -> None:
        if layer not in (known := self.layers()):
            raise LayerError(f"The atlas has no layer {layer!r}; {suggest(layer, known)}")

    @property
    def _index(self) -> dict[tuple[str, int], list[Row]]:
        return self._by_unit(UNITS)

    @property
    def _examples_index(self) -> dict[tuple[str, int], list[Row]]:
        return self._by_unit(EXAMPLES)

    def _by_unit(self, table: Table) -> dict[tuple[str, int], list[Row]]:
        known = self.__dict__.setdefault("_indices", {})
        rows = self._own(table)
        if table.name not in known or known[table.name][0] is not self._tables[table.name]:
            found: dict[tuple[str, int], list[Row]] = defaultdict(list)
            for row in rows:
                found[row["layer"], row["unit"]].append(row)
            known[table.name] = (self._tables[table.name], dict(found))
        index: dict[tuple[str, int], list[Row]] = known[table.name][1]
        return index

    def _own(self, table: Table) -> list[Row]:
        rows = self._all(table)
        chosen = self._model_id
        return [row for row in rows if row["model_id"] == chosen]

    def _all(self, table: Table) -> list[Row]:
        """All rows but for their pictures, each once, sorted."""
        if table.name not in self._tables:
            self._tables[table.name] = self._read(table)
        return self._tables[table.name]

    def _read(self, table: Table, tries: int = 3) -> list[Row]:
        columns = [name for name, kind in table.columns.items() if not kind.startswith("image")]
        found: dict[tuple[Any, ...], Row] = {}
        try:
            # A job's own part comes after merged ones in the listing, and is newer where both are
            # there.
            for part in self.store.parts(table.name):
                head = self.store.head(part)
                if head is None:
                    raise InputError(
                        f"{part.path} is damaged; run convscope atlas verify {self.store.url}"
                        " --remove, then build again."
                    )
                for place, values in enumerate(self.store.read(part, columns).to_pylist()):
                    found[tuple(values[name] for name in ("model_id", *table.identity))] = Row(
                        self, part, place, values
                    )
        except FileNotFoundError:
            if not tries:
                raise
            return self._read(table, tries - 1)  # parts were merged while they were read
        order = table.order
        return sorted(
            found.values(),
            key=lambda row: (
                row["model"],
                row.get("depth") or 0,
                _natural(row.get("layer") or ""),
                *(_key(row[name]) for name in order),
            ),
        )

    def _image(self, part: Part, place: int) -> Any:
        held = self._pictures.get(part.path)
        if held is None:
            try:
                held = self._pictures[part.path] = self.store.read(part, ["image"]).column(0)
            except FileNotFoundError:
                raise InputError(
                    f"{part.path} was merged or removed since it was opened; open the atlas again."
                ) from None
            while len(self._pictures) > HELD:
                self._pictures.popitem(last=False)
        return held[place].as_py()


def _norm(values: Any) -> float:
    return float(sum(value * value for value in values) ** 0.5)


def _key(value: Any) -> Any:
    """The best examples come before the sample."""
    return {"top": "0", "sample": "1"}.get(value, value) if isinstance(value, str) else value


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """blocks.2 before blocks.10."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in text.split(".")
    ]
