"""`Atlas`: one network's rows in an atlas, by layer and unit, with similar units and a search."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, TypedDict, TypeVar

from convscope.atlas.example_rows import best_first
from convscope.atlas.label_search import LabeledUnit, search_label
from convscope.atlas.similarity import UnitSimilarity
from convscope.atlas.store.network_choice import matching_networks, unknown_network
from convscope.atlas.store.reader import Network, Reader, Row
from convscope.atlas.store.rows import CardColumns, ExampleColumns, SkippedColumns, UnitColumns
from convscope.atlas.store.store import Store
from convscope.atlas.store.tables import CARDS, EXAMPLES, UNITS, ColumnsT, Table
from convscope.atlas.unit_text import parse_unit
from convscope.core.quantities import pluralize
from convscope.errors import InputError, LayerError, OptionError, UnitError, suggest
from convscope.networks.load import ModelLike

READ_ATTEMPTS = 4
"""How often an atlas is listed anew when parts are merged while they are read."""

LayerColumnsT = TypeVar("LayerColumnsT", UnitColumns, ExampleColumns, CardColumns)
RowsByUnit = dict[tuple[str, int], list[Row[ColumnsT]]]


class SimilarUnit(TypedDict):
    """A unit, and the cosine between it and the one asked for."""

    layer: str
    unit: int
    cosine: float


class Atlas:
    """The rows of one network in an atlas. What is read is remembered; `reload` forgets it.

    Iterating gives a row for each picture, layer by layer.
    """

    def __init__(self, store: Store, model: str | None = None) -> None:
        self.store = store
        self._reader = Reader(store)
        self._wanted_model = model
        self._networks: list[Network] | None = None
        self._units: RowsByUnit[UnitColumns] | None = None
        self._examples: RowsByUnit[ExampleColumns] | None = None
        self._cards: RowsByUnit[CardColumns] | None = None
        self._similarity: UnitSimilarity | None = None

    def __repr__(self) -> str:
        pictures, layers = pluralize(len(self), "picture"), pluralize(len(self.layers()), "layer")
        return f"<Atlas {self.store.url}: {pictures} of {layers}>"

    def __len__(self) -> int:
        return len(self.rows())

    def __iter__(self) -> Iterator[Row[UnitColumns]]:
        return iter(self.rows())

    def reload(self) -> None:
        """Read anew what is there now."""
        self._reader.forget()
        self._networks = self._units = self._examples = None
        self._cards = self._similarity = None

    def models(self) -> list[dict[str, str]]:
        """The networks that are there: name and hash."""
        return [
            {"model": network.model, "model_id": network.model_id} for network in self._listed()
        ]

    def layers(self) -> list[str]:
        """The layers, in the order in which they end while the network runs."""
        network = self._network
        return [] if network is None else [layer.name for layer in network.layers]

    def units(self, layer: str) -> list[int]:
        """The units of a layer that are there."""
        self._require_layer(layer)
        keys = {*self._units_by_key(), *self._examples_by_key(), *self._cards_by_key()}
        return sorted(unit for name, unit in keys if name == layer)

    def rows(self, layer: str | None = None) -> list[Row[UnitColumns]]:
        """A row for each picture, of one layer or of all."""
        if layer is not None:
            self._require_layer(layer)
        by_key = self._units_by_key().items()
        return [row for key, rows in by_key if layer in (None, key[0]) for row in rows]

    def unit(self, layer: str, index: int | None = None) -> list[Row[UnitColumns]]:
        """The pictures of one unit, `("blocks.3", 11)` or "blocks.3:11": one, or one for each face
        and recipe.

        Raises:
            LayerError, UnitError: it is not in the atlas.
        """
        return self._units_by_key().get(self._parse_unit(layer, index), [])

    def examples(
        self, layer: str, index: int | None = None, *, kind: Literal["top", "sample"] | None = None
    ) -> list[Row[ExampleColumns]]:
        """The photos of one unit: those that excite it most, best first, and a sample over its
        range, lowest first. Where several passes saw photos, those of all; `photos` and `recipe`
        say which pass a row is from, and `rank` is its place there."""
        rows = self._examples_by_key().get(self._parse_unit(layer, index), [])
        return [row for row in rows if kind is None or row.columns["kind"] == kind]

    def all_examples(self) -> list[Row[ExampleColumns]]:
        """The photos of all units."""
        return [row for rows in self._examples_by_key().values() for row in rows]

    def cards(self, layer: str, index: int | None = None) -> list[Row[CardColumns]]:
        """The cards of one unit, one for each run over photos."""
        return self._cards_by_key().get(self._parse_unit(layer, index), [])

    def all_cards(self) -> list[Row[CardColumns]]:
        """The cards of all units."""
        return [row for rows in self._cards_by_key().values() for row in rows]

    def skipped(self) -> list[Row[SkippedColumns]]:
        """The photos that could not be read, with the reason."""
        network = self._network
        return [] if network is None else self._reader.skipped(network)

    def similar(
        self,
        layer: str,
        index: int | None = None,
        *,
        by: Literal["examples", "weights"] = "examples",
        n: int = 8,
        model: ModelLike | None = None,
    ) -> list[SimilarUnit]:
        """The units most like one, with the cosine between them.

        By "examples": of the photos that excite each most, as vectors of values over photos; units
        of all layers. Where photos from several places were passed over, over those of which the
        unit has most. By "weights": of the weights that come into each unit, in its own layer; this
        needs the network.

        Raises:
            OptionError: another way, or weights without the network.
            InputError: no examples have been looked for.
        """
        layer, index = self._parse_unit(layer, index)
        if by == "examples":
            cosines = self._cosines_by_examples(layer, index)
        elif by == "weights":
            if model is None:
                raise OptionError("Similar units by weights need the network; pass model=.")
            cosines = self._cosines_by_weights(layer, index, model)
        else:
            raise OptionError(
                f"Units are compared by 'examples' or by 'weights'; {by!r} was given."
            )
        cosines.pop((layer, index), None)
        nearest = sorted(cosines.items(), key=lambda pair: (-pair[1], pair[0]))[:n]
        return [{"layer": name, "unit": unit, "cosine": cosine} for (name, unit), cosine in nearest]

    def search(self, label: str, *, n: int = 20) -> list[LabeledUnit]:
        """The units whose best photos bear a label with this in it; `share` is how many of them do,
        each photo counted once; where photos from several places were passed over, of those from
        the place with the largest share. Capitals do not matter.

        Raises:
            InputError: no photo has such a label.
        """
        return search_label(self._examples_by_key(), label, n)

    def _listed(self) -> list[Network]:
        if self._networks is None:
            self._networks = self._reader.networks((UNITS, EXAMPLES, CARDS))
        return self._networks

    @property
    def _network(self) -> Network | None:
        """The network that is wanted; None where there is none at all."""
        networks = self._listed()
        wanted = self._wanted_model
        if wanted is None and len(networks) > 1:
            names = ", ".join(f"{network.model} ({network.model_id[:8]})" for network in networks)
            raise OptionError(
                f"The atlas holds {len(networks)} networks: {names}; say which with model=."
            )
        matching = networks if wanted is None else matching_networks(networks, wanted)
        if networks and len(matching) != 1:
            raise unknown_network(networks, str(wanted))
        return matching[0] if matching else None

    def _units_by_key(self) -> RowsByUnit[UnitColumns]:
        if self._units is None:
            self._units = self._read(UNITS)
        return self._units

    def _examples_by_key(self) -> RowsByUnit[ExampleColumns]:
        if self._examples is None:
            rows = self._read(EXAMPLES)
            self._examples = {key: best_first(rows[key]) for key in rows}
        return self._examples

    def _cards_by_key(self) -> RowsByUnit[CardColumns]:
        if self._cards is None:
            self._cards = self._read(CARDS)
        return self._cards

    def _read(self, table: Table[LayerColumnsT]) -> RowsByUnit[LayerColumnsT]:
        for attempt in range(READ_ATTEMPTS):
            network = self._network
            if network is None:
                return {}
            by_key: RowsByUnit[LayerColumnsT] = defaultdict(list)
            try:
                for layer in network.layers if network else []:
                    for row in self._reader.rows(table, network, layer):
                        by_key[layer.name, row.columns["unit"]].append(row)
                return dict(by_key)
            except FileNotFoundError:
                if attempt == READ_ATTEMPTS - 1:
                    raise
                self._networks = None
        return {}

    def _cosines_by_examples(self, layer: str, index: int) -> dict[tuple[str, int], float]:
        names = self.layers()
        if self._similarity is None:
            self._similarity = UnitSimilarity()
            for (name, _), rows in self._examples_by_key().items():
                self._similarity.add(names.index(name), rows)
        unit = (names.index(layer), index)
        if unit not in self._similarity:
            raise InputError(
                f"{layer}:{index} has no examples; make them with convscope atlas examples, or"
                " compare by weights."
            )
        cosines = self._similarity.cosines(unit).tolist()
        units = [(names[position], other) for position, other in self._similarity.units]
        return dict(zip(units, cosines, strict=True))

    def _cosines_by_weights(
        self, layer: str, index: int, model: ModelLike
    ) -> dict[tuple[str, int], float]:
        from convscope.atlas.scan.incoming_weights import incoming_weights
        from convscope.networks.load import load_model

        loaded = load_model(model)
        network = self._network
        if network is not None and loaded.identity != network.model_id:
            raise OptionError(
                f"The atlas is of another network than {loaded.name}, or of other weights; pass the"
                " one it was built from."
            )
        weights = incoming_weights(loaded, layer)
        weights = weights / weights.norm(dim=1, keepdim=True).clamp_min(1e-12)
        cosines = (weights @ weights[index]).tolist()
        return {(layer, unit): cosine for unit, cosine in enumerate(cosines)}

    def _parse_unit(self, layer: str, index: int | None) -> tuple[str, int]:
        if index is None:
            layer, index = parse_unit(layer, self.layers())
        existing = self.units(layer)
        if index not in existing:
            raise UnitError(
                f"The atlas has {pluralize(len(existing), 'unit')} of {layer!r}, {existing[0]} to"
                f" {existing[-1]}; {index} was given."
            )
        return layer, index

    def _require_layer(self, layer: str) -> None:
        if layer not in (known := self.layers()):
            raise LayerError(f"The atlas has no layer {layer!r}; {suggest(layer, known)}")
