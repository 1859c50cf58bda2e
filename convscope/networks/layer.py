"""Layers and units: names, kinds, shapes, and the one sentence when a name is wrong.

A layer is named as in `named_modules()` ("blocks.3.0.conv_pw"). A module that runs several times in
one forward pass is named once for its last run, and `name#k` is its k-th run. A unit is
`layer:index`, a neuron `layer:index:row,column`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from convscope.core.name_pattern import name_pattern
from convscope.core.text import is_whole_number
from convscope.errors import LayerError, UnitError, shown, suggest
from convscope.networks.concept_file import read_layer
from convscope.networks.concept_layer import is_concept_layer

_NUMBER = "[0-9]{1,9}"
_UNIT = re.compile(
    rf"^(?P<layer>[^:]+):(?P<index>{_NUMBER})(?::(?P<row>{_NUMBER}),(?P<column>{_NUMBER}))?$"
)

CLASSES = "head"
"""The word that `atlas` takes for the layer of classes, where no layer has that name."""

PASSING = ("Identity", "Dropout", "Dropout2d", "DropPath", "StochasticDepth", "Permute")
"""Kinds that hand on what they are given when a network is not trained."""

POOLING = ("pool", "flatten", *(kind.lower() for kind in PASSING))
"""Words in kinds whose output is not a place where a network decides what it sees: never a default
layer."""


@dataclass(frozen=True)
class Layer:
    """One layer as one dry run saw it.

    `shape` is the output for one image as c h w (1 x 1 for a dense layer), `parameters` counts its
    own and its children's, `calls` how often it ran, `order` when its last run ended, and `source`
    is the innermost layer that made the same tensor (a container gives what its last child gave).
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    parameters: int
    calls: int
    order: int
    source: str

    @property
    def units(self) -> int:
        """How many channels it has."""
        return self.shape[0]

    @property
    def spatial(self) -> bool:
        """Whether its output has more than one place."""
        return self.shape[1] * self.shape[2] > 1


@dataclass(frozen=True)
class Unit:
    """A channel of a layer, or one neuron of it where row and column are given."""

    layer: str
    index: int
    row: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = "" if self.row is None else f":{self.row},{self.column}"
        return f"{self.layer}:{self.index}{place}"


class Layers(Mapping[str, Layer]):
    """All layers of a network in the order in which they finish.

    `unread` are late layers whose places no score depends on (a transformer reads only its class
    token at the end).
    """

    def __init__(self, layers: list[Layer], parameters: int, unread: Collection[str] = ()) -> None:
        self._layers = {
            layer.name: layer for layer in sorted(layers, key=lambda layer: layer.order)
        }
        self.parameters = parameters
        self.unread = frozenset(unread)
        self._last: str | None = None
        self._inner = _inner_counts(self._layers)
        self._stage_lists: dict[int, list[str]] = {}

    def __getitem__(self, name: str) -> Layer:
        if is_concept_layer(name):
            return self._concept_layer(name)
        base, mark, call = name.partition("#")
        layer = self._layers.get(base)
        if layer is None:
            raise LayerError(self._unknown(name))
        if mark and not (is_whole_number(call) and 1 <= int(call) <= layer.calls):
            raise LayerError(
                f"{base!r} runs {layer.calls} time(s), so its runs are {base}#1 to"
                f" {base}#{layer.calls}; {name!r} was given."
            )
        return layer

    def _unknown(self, name: str) -> str:
        """What to say where there is no such layer."""
        dense = [layer.name for layer in self._layers.values() if layer.kind == "Linear"]
        hint = suggest(name, self._layers)
        if name == CLASSES and dense:
            hint = f"only atlas takes it for the layer of classes; give a name, as {dense[-1]!r}."
        return f"The network has no layer {name!r}; {hint}"

    def _concept_layer(self, name: str) -> Layer:
        """Saved concepts as a layer with a channel for each.

        Raises:
            LayerError: there is no such layer, or its concepts are of another network.
        """
        concepts = read_layer(name)
        layer, (count, channels) = self[concepts.layer], concepts.shape
        if layer.units != channels:
            raise LayerError(
                f"The directions of {name!r} have {channels} numbers, but {concepts.layer!r} has"
                f" {layer.units} channels; they are of another network."
            )
        return replace(layer, name=name, shape=(count, *layer.shape[1:]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def match(self, pattern: str) -> list[str]:
        """The names that a shell pattern fits, or the name itself: `*` does not cross a dot, `**`
        does ("blocks.*" are a network's stages, "blocks.**" all that is inside them too).

        Raises:
            LayerError: none fits.
        """
        if not any(mark in pattern for mark in "*?["):
            self[pattern]
            return [pattern]
        fits = name_pattern(pattern).fullmatch
        matches = [name for name in self._layers if fits(name)]
        if not matches:
            raise LayerError(
                f"No layer of the network fits {pattern!r};"
                f" {suggest(pattern.strip('*?.'), self._layers)}"
            )
        return matches

    def unit(self, text: str) -> Unit:
        """A unit or neuron from its text, checked against the layer's shape.

        Raises:
            LayerError: no such layer.
            UnitError: the text is no unit, or the layer has fewer units or places.
        """
        match = _UNIT.match(text.strip())
        if match is None:
            raise UnitError(
                f"{shown(text)} is not a unit; write layer:index (as in {self.example()}) or"
                " layer:index:row,column."
            )
        name, index = match["layer"], int(match["index"])
        units, height, width = self[name].shape
        if index >= units:
            raise UnitError(
                f"Layer {name!r} has {units} units, 0 to {units - 1}; {index} was given."
            )
        if match["row"] is None:
            return Unit(name, index)
        row, column = int(match["row"]), int(match["column"])
        if row >= height or column >= width:
            raise UnitError(
                f"Layer {name!r} has {height} x {width} places; row {row}, column {column} was"
                " given."
            )
        return Unit(name, index, row, column)

    def example(self) -> str:
        """A unit that exists, for messages."""
        return f"{self.last_spatial() or next(iter(self._layers), 'layer')}:0"

    def until(self, name: str) -> Layers:
        """The layers that have ended when this one ends, itself included."""
        last = self[name].order
        rows = [layer for layer in self._layers.values() if layer.order <= last]
        return Layers(rows, self.parameters)

    def last_spatial(self) -> str | None:
        """The last layer whose output still has places, poolings left out; the outermost name where
        several share it.

        Where the places of the last ones are not read, it is the last one of their shape that is
        read.
        """
        self._last = self._last or self._find_last()
        return self._last

    def _find_last(self) -> str | None:
        fitting = [
            layer
            for layer in self._layers.values()
            if layer.spatial
            and not any(
                word in self._layers.get(layer.source, layer).kind.lower() for word in POOLING
            )
        ]
        if not fitting:
            return None
        # A trunk that gives several maps is known by its first one, which was made long before.
        fitting.sort(key=lambda layer: self._layers.get(layer.source, layer).order)
        fitting = [layer for layer in fitting if min(layer.shape[1:]) > 1] or fitting
        read = [
            layer
            for layer in fitting
            if layer.shape == fitting[-1].shape and layer.name not in self.unread
        ]
        if self.unread:  # of a block's norm and its queries, keys and values, the norm
            read = [layer for layer in read if layer.kind != "Linear"] or read
        return (read or fitting)[-1].name

    def spread(self, count: int = 3) -> list[str]:
        """`count` layers from early to late, each the outermost name of a stage: what to show when
        nobody chose."""
        return _evenly(self._stage_names(count), count)

    def stages(self, most: int = 9) -> list[str]:
        """The stages from early to late, by their outermost names; `most` of them where there are
        more."""
        names = self._stage_names(3)
        return [*names] if len(names) <= most else _evenly(names, most)

    def _stage_names(self, count: int) -> list[str]:
        """The stages, or the repeated blocks or convolutions of a network with fewer than `count`
        of them."""
        if count not in self._stage_lists:
            self._stage_lists[count] = self._find_stages(count)
        return self._stage_lists[count]

    def _find_stages(self, count: int) -> list[str]:
        names = [
            layer.name for layer in self._layers.values() if layer.spatial and self._is_stage(layer)
        ]
        # A detector's queries are a list, and no places of the image.
        names = [name for name in names if min(self._layers[name].shape[1:]) > 1] or names
        names = [name for name in names if name.rpartition(".")[0] not in names]
        if len(names) < count:
            places = [layer for layer in self._layers.values() if layer.spatial]
            kinds = [
                layer.name for layer in places if layer.kind.lower().startswith(("conv", "relu"))
            ] or [layer.name for layer in places]
            names = next(
                (layers for layers in (self._repeated(), kinds) if len(layers) >= count),
                max(names, self._repeated(), kinds, key=len),
            )
        return names

    def _repeated(self) -> list[str]:
        """The members of the largest group of like containers: the blocks of a network that is not
        cut into stages."""
        groups: dict[str, list[str]] = {}
        for layer in self._layers.values():
            if self._inner[layer.name] > 2 and min(layer.shape[1:]) > 1:
                groups.setdefault(layer.name.rpartition(".")[0], []).append(layer.name)
        return max(groups.values(), key=len, default=[])

    def _is_stage(self, layer: Layer) -> bool:
        """A container at most two names deep that is not the trunk which holds most of the
        network."""
        inner = self._inner[layer.name]
        return inner > 2 and layer.name.count(".") < 2 and inner < 0.6 * len(self._layers)


def _inner_counts(names: Collection[str]) -> Counter[str]:
    """How many layers lie within each name."""
    counts: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        counts.update(".".join(parts[:end]) for end in range(1, len(parts)))
    return counts


def _evenly(names: list[str], count: int) -> list[str]:
    """`count` of the names, evenly from the first to the last."""
    last = len(names) - 1
    if count == 1 or last < 1:
        return names[-1:]
    return list(dict.fromkeys(names[round(place * last / (count - 1))] for place in range(count)))
