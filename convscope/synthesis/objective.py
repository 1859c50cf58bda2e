"""Objectives as data: what an optimization should raise, as a weighted sum of named terms.

    channel("blocks.3", 11) * 0.5 - channel("blocks.3", 40)
    parse("0.5*blocks.3:11 - blocks.3:40", probe)

An objective is frozen, can be hashed and written as JSON, and knows the layers that it reads before
anything runs. What a term computes is the function of that name in `objectives/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from convscope.core.ranges import PositiveInt
from convscope.core.validation import checked
from convscope.errors import OptionError, suggest
from convscope.synthesis import objectives

ParameterValue: TypeAlias = str | int | float | bool | tuple[float, ...] | None
"""What a parameter of an objective may be: plain data."""

JsonTerm: TypeAlias = Mapping[str, str | int | float | bool | Sequence[float] | None]
"""A term as JSON: `kind`, `weight`, and the parameters by name."""

NAME = "name"
"""The parameter that only titles read: it changes neither the picture nor its seed."""

TITLE_VALUE_LENGTH = 40
"""Characters of a parameter's value in a title."""


@dataclass(frozen=True)
class Term:
    """One weighted term: the name of a function in `objectives/` and its parameters, sorted by
    name."""

    kind: str
    parameters: tuple[tuple[str, ParameterValue], ...]
    weight: float = 1.0

    @property
    def options(self) -> dict[str, ParameterValue]:
        """The parameters as a dictionary."""
        return dict(self.parameters)

    @property
    def layer(self) -> str | None:
        """The layer it reads, if any."""
        layer = self.options.get("layer")
        return layer if isinstance(layer, str) else None

    def to_text(self, max_length: int | None = None) -> str:
        """The term without its weight, as `parse` reads it; for titles, values are cut to
        `max_length` characters."""
        options = self.options
        if self.kind == "channel":
            return f"{options['layer']}:{options['index']}"
        if self.kind == "neuron" and None not in (options["row"], options["column"]):
            return f"{options['layer']}:{options['index']}:{options['row']},{options['column']}"
        if self.kind == "layer":
            return str(options["layer"])
        if max_length is not None and options.get(NAME):
            return str(options[NAME])
        shown = [
            parameter.name
            for parameter in objectives.registry.schema(self.kind).options
            if parameter.name != NAME
            and (parameter.required or options[parameter.name] != parameter.default)
        ]
        texts = [
            _shortened(options[name], max_length if place else None, name if place else "")
            for place, name in enumerate(shown)
        ]
        return f"{self.kind}({', '.join(texts)})"


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

    def __truediv__(self, divisor: float) -> Objective:
        return self * (1 / divisor)

    def __neg__(self) -> Objective:
        return self * -1

    def __sub__(self, other: Objective) -> Objective:
        return self + -other

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, max_length: int | None = None) -> str:
        """As `parse` reads it; parameters are cut to `max_length` characters."""
        parts: list[str] = []
        for term in self.terms:
            size = abs(term.weight)
            factor = "" if size == 1 else f"{_number(size)}*"
            sign = "-" if term.weight < 0 else "+"
            if parts:
                parts.append(f" {sign} {factor}{term.to_text(max_length)}")
            else:
                parts.append(f"{sign.strip('+')}{factor}{term.to_text(max_length)}")
        return "".join(parts)

    @property
    def title(self) -> str:
        """As text, with long vectors cut."""
        return self.to_text(TITLE_VALUE_LENGTH)

    @property
    def seed_key(self) -> str:
        """What its random numbers are seeded with. It is no text for people: it stays what it is
        when `str` is written more nicely, so that pictures stay the same too."""
        texts = [
            term.to_text() if term.weight == 1 else f"{_number(term.weight)}*{term.to_text()}"
            for term in self.terms
        ]
        return " + ".join(texts).replace("+ -", "- ")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers it reads."""
        return tuple(dict.fromkeys(term.layer for term in self.terms if term.layer is not None))

    @property
    def reads_output(self) -> bool:
        """Whether it needs the network to run to its end."""
        return any(objectives.registry.traits(term.kind).output for term in self.terms)

    def to_json(self) -> list[JsonTerm]:
        """Plain data; `from_json` reads it."""
        return [{"kind": term.kind, "weight": term.weight, **term.options} for term in self.terms]

    @classmethod
    def from_json(cls, data: Sequence[JsonTerm]) -> Objective:
        """The objective that `to_json` wrote.

        Raises:
            OptionError: it is not such data.
        """
        terms = []
        for entry in data:
            kind, weight = entry.get("kind"), entry.get("weight", 1.0)
            if not isinstance(kind, str) or not isinstance(weight, (int, float)):
                raise OptionError(f"A term has a kind and a weight; {dict(entry)!r} was given.")
            parameters = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in entry.items()
                if name not in ("kind", "weight")
            }
            terms.append(replace(objective(kind, **parameters).terms[0], weight=weight))
        return cls(tuple(terms))


def objective(kind: str, **parameters: ParameterValue | Sequence[float]) -> Objective:
    """A single term of weight 1; parameters are checked against the function of that name in
    `objectives/`.

    Raises:
        OptionError: no such objective, or a parameter it does not have.
    """
    options = {option.name: option for option in objectives.registry.schema(kind).options}
    for name in parameters:
        if name not in options:
            raise OptionError(
                f"The objective {kind} has no parameter {name!r}; {suggest(name, options)}"
            )
    complete: dict[str, ParameterValue] = {}
    for name, option in options.items():
        if name not in parameters and option.required:
            raise OptionError(f"The objective {kind} needs {name!r}.")
        # A default is a literal in the function's signature.
        value = parameters.get(name, cast("ParameterValue", option.default))
        complete[name] = (
            value if value is None or isinstance(value, (str, int, float)) else tuple(value)
        )
    return Objective((Term(kind, tuple(sorted(complete.items()))),))


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel's map."""
    return objective("channel", layer=layer, index=index)


def neuron(layer: str, index: int, row: int | None = None, column: int | None = None) -> Objective:
    """One channel at one place, the middle one by default."""
    return objective("neuron", layer=layer, index=index, row=row, column=column)


@checked()
def interpolate(first: Objective, second: Objective, steps: PositiveInt) -> list[Objective]:
    """`steps` objectives on the way from one to the other, both ends included."""
    return [
        first * (1 - share) + second * share
        for share in (place / max(steps - 1, 1) for place in range(steps))
    ]


def _number(value: float) -> str:
    """A number as short as it can be read back exactly."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def _shortened(value: ParameterValue, max_length: int | None, name: str = "") -> str:
    text = str(value)
    if max_length is not None and len(text) > max_length:
        text = text[: max_length - 3] + "..."
    return f"{name}={text}" if name else text
