"""Objectives as data: what an ascent should raise, as a weighted sum of named terms.

    channel("blocks.3", 11) * 0.5 - channel("blocks.3", 40)
    parse("0.5*blocks.3:11 - blocks.3:40", model, layers)

An objective is frozen, can be hashed and written as JSON, and knows the layers that it reads before
anything runs. What a term computes is the function of that name in `objectives/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from convscope.errors import OptionError, UnitError, suggest
from convscope.networks.layer import Layers, Unit
from convscope.questions.target import find_class
from convscope.synthesis import objectives

if TYPE_CHECKING:
    from convscope.networks.model import Model

MOST = 40
"""Characters of a parameter's value in a title."""

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_TIGHT = re.compile(r"(:\d+(?:,\d+)?|\))([+-])(?=\S)")
_SPLIT = re.compile(r"\s+([+-])\s+(?![^(]*\))")
_WEIGHTED = re.compile(rf"^(?P<weight>{_NUMBER})\s*\*\s*(?P<atom>.+)$")
_COMMA = re.compile(r",(?![^(\[]*[)\]])")
_CALL = re.compile(r"^(?P<kind>\w+)\((?P<inside>.*)\)$")


@dataclass(frozen=True)
class Term:
    """One weighted term: the name of a function in `objectives/` and its parameters, sorted by
    name."""

    kind: str
    parameters: tuple[tuple[str, Any], ...]
    weight: float = 1.0

    @property
    def options(self) -> dict[str, Any]:
        """The parameters as a dictionary."""
        return dict(self.parameters)

    def __str__(self) -> str:
        return self.written()

    def written(self, most: int | None = None) -> str:
        """As `parse` reads it; for titles, values are cut to `most` characters."""
        options = self.options
        if self.kind == "channel":
            atom = f"{options['layer']}:{options['index']}"
        elif self.kind == "neuron" and None not in (options["row"], options["column"]):
            atom = f"{options['layer']}:{options['index']}:{options['row']},{options['column']}"
        elif self.kind == "layer":
            atom = str(options["layer"])
        else:
            known = objectives.registry.schema(self.kind).options
            said = [
                parameter
                for parameter in known
                if parameter.required or options[parameter.name] != parameter.default
            ]
            first = str(options[said[0].name]) if said else ""
            rest = [
                f"{parameter.name}={_short(options[parameter.name], most)}"
                for parameter in said[1:]
            ]
            atom = f"{self.kind}({', '.join([first, *rest])})"
        if self.weight == 1:
            return atom
        weight = f"{self.weight:g}"
        return f"{weight if float(weight) == self.weight else repr(self.weight)}*{atom}"


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms. `+`, `-` and multiplication by a number make new ones."""

    terms: tuple[Term, ...]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __radd__(self, other: int) -> Objective:
        if other != 0:
            raise OptionError(f"An objective is added to an objective; {other!r} was given.")
        return self

    def __mul__(self, factor: float) -> Objective:
        return Objective(tuple(replace(term, weight=term.weight * factor) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1

    def __sub__(self, other: Objective) -> Objective:
        return self + -other

    def __str__(self) -> str:
        return _sum(term.written() for term in self.terms)

    @property
    def title(self) -> str:
        """As text, with long vectors cut."""
        return _sum(term.written(MOST) for term in self.terms)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers it reads."""
        return tuple(
            dict.fromkeys(
                options["layer"] for term in self.terms if "layer" in (options := term.options)
            )
        )

    @property
    def reads_output(self) -> bool:
        """Whether it needs the network to run to its end."""
        registry = objectives.registry
        return any(registry.traits(term.kind).output for term in self.terms)

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data; `from_json` reads it."""
        return [{"kind": term.kind, "weight": term.weight, **term.options} for term in self.terms]

    @classmethod
    def from_json(cls, data: Sequence[dict[str, Any]]) -> Objective:
        """The objective that `to_json` wrote."""
        terms = []
        for entry in data:
            rest = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in entry.items()
                if name not in ("kind", "weight")
            }
            terms.append(Term(entry["kind"], tuple(sorted(rest.items())), entry["weight"]))
        return cls(tuple(terms))


def objective(kind: str, **parameters: Any) -> Objective:
    """A single term of weight 1; parameters are checked against the function of that name in
    `objectives/`.

    Raises:
        OptionError: no such objective, or a parameter it does not have.
    """
    schema = objectives.registry.schema(kind)
    known = {parameter.name: parameter for parameter in schema.options}
    for name in parameters:
        if name not in known:
            raise OptionError(
                f"The objective {kind} has no parameter {name!r}; {suggest(name, known)}"
            )
    filled = {name: parameters.get(name, parameter.default) for name, parameter in known.items()}
    missing = [
        name for name, parameter in known.items() if name not in parameters and parameter.required
    ]
    if missing:
        raise OptionError(f"The objective {kind} needs {missing[0]!r}.")
    plain = {
        name: tuple(value) if isinstance(value, list) else value for name, value in filled.items()
    }
    return Objective((Term(kind, tuple(sorted(plain.items()))),))


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel's map."""
    return objective("channel", layer=layer, index=index)


def neuron(layer: str, index: int, row: int | None = None, column: int | None = None) -> Objective:
    """One channel at one place, the middle one by default."""
    return objective("neuron", layer=layer, index=index, row=row, column=column)


def interpolate(first: Objective, second: Objective, steps: int) -> list[Objective]:
    """`steps` objectives on the way from one to the other, both ends included."""
    return [
        first * (1 - share) + second * share
        for share in (place / max(steps - 1, 1) for place in range(steps))
    ]


def parse(given: Any, model: Model, layers: Layers) -> Objective:
    """An objective from text, a `Unit`, JSON, or an objective; everything it names is checked.

    `layer:index` is a channel, `layer:index:row,column` a neuron, a layer's name alone the whole
    layer (DeepDream), and `logit(label)`, `probability(label)` or `name(layer, ...)` an objective
    by name; sums and weights as in `0.5*a + b - c`.

    Raises:
        LayerError, UnitError, TargetError, OptionError: what it names does not exist.
    """
    if isinstance(given, (list, tuple, dict)):
        given = Objective.from_json([given] if isinstance(given, dict) else given)
    if isinstance(given, Objective):
        _check(given, model, layers)
        return given
    if isinstance(given, Unit):
        given = str(given)
    if not isinstance(given, str) or not given.strip():
        raise UnitError(
            f"A unit is written layer:index (as in {layers.example()}); {given!r} was given."
        )
    parts = _SPLIT.split(_TIGHT.sub(r"\1 \2 ", given.strip()))
    total = _atom(parts[0], model, layers)
    for sign, part in zip(parts[1::2], parts[2::2], strict=True):
        term = _atom(part, model, layers)
        total = total + term if sign == "+" else total - term
    _check(total, model, layers)
    return total


def _check(objective: Objective, model: Model, layers: Layers) -> None:
    """Whether the network has what an objective names."""
    for term in objective.terms:
        objectives.registry.get(term.kind)
        options = term.options
        if "layer" in options:
            layer = layers[options["layer"]]
            if options.get("index") is not None:
                place = (
                    ""
                    if options.get("row") is None or options.get("column") is None
                    else f":{options['row']},{options['column']}"
                )
                layers.unit(f"{options['layer']}:{options['index']}{place}")
            if "vector" in options and len(options["vector"]) != layer.units:
                raise OptionError(
                    f"A direction at {layer.name!r} has {layer.units} numbers, one per channel;"
                    f" {len(options['vector'])} were given."
                )
        if "target" in options:
            find_class(model, options["target"])


def _atom(text: str, model: Model, layers: Layers) -> Objective:
    text = text.strip()
    if weighted := _WEIGHTED.match(text):
        return _atom(weighted["atom"], model, layers) * float(weighted["weight"])
    if text.startswith("-"):
        return -_atom(text[1:], model, layers)
    if call := _CALL.match(text):
        return _call(
            call["kind"],
            [part.strip() for part in _COMMA.split(call["inside"]) if part.strip()],
            model,
            layers,
        )
    if text in layers or ("#" in text and ":" not in text):
        layers[text]
        return objective("layer", layer=text)
    unit = layers.unit(text)
    if unit.row is None:
        return channel(unit.layer, unit.index)
    return neuron(unit.layer, unit.index, unit.row, unit.column)


def _call(kind: str, arguments: list[str], model: Model, layers: Layers) -> Objective:
    schema = objectives.registry.schema(kind)
    if schema.options and schema.options[0].name == "target":
        return objective(kind, target=find_class(model, ", ".join(arguments)))
    given = {}
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if not equals:
            if place >= len(schema.options):
                raise OptionError(
                    f"The objective {kind} takes {len(schema.options)} parameter(s);"
                    f" {len(arguments)} were given."
                )
            name, value = schema.options[place].name, argument
        given[name.strip()] = value.strip()
    found = objective(kind, **schema.validate(given))
    for name in found.layers:
        layers[name]
    return found


def _sum(terms: Iterable[str]) -> str:
    return " + ".join(terms).replace("+ -", "- ")


def _short(value: Any, most: int | None) -> str:
    text = str(value)
    return text if most is None or len(text) <= most else text[: most - 3] + "..."
