"""Transforms, regularizers and parameterizations as text: "pad(16) jitter(8)", "0.5*l1"; between
them stand spaces or commas."""

from __future__ import annotations

import re
from typing import TypeVar

from convscope.core.registry import Registry
from convscope.core.types import Options
from convscope.errors import OptionError
from convscope.synthesis.config import PartSpec, PenaltySpec

Traits = TypeVar("Traits")

_PART = re.compile(
    r"\s*(?:(?P<weight>[^\s()*,]*)\*)?(?P<name>[^\s()*,]+)(?:\((?P<inside>[^()]*)\))?(?:\s*,(?=.*\w))?"
)


def parse_parts(text: str, registry: Registry[Traits]) -> tuple[PartSpec, ...]:
    """ "pad(16) jitter(8) scale(0.9,1.1)" as names with their options; "none" is no part at all.

    Raises:
        OptionError: a name or option that does not exist.
    """
    parts = []
    for weight, part in _parse(text, registry):
        if weight is not None:
            raise OptionError(f"A {registry.kind} has no weight; {text!r} was given.")
        parts.append(part)
    return tuple(parts)


def parse_penalties(text: str, registry: Registry[Traits]) -> tuple[PenaltySpec, ...]:
    """ "0.5*total_variation 0.1*l1" as names with weights and options.

    Raises:
        OptionError: a name or option that does not exist, or a weight that is no number.
    """
    penalties = []
    for weight, part in _parse(text, registry):
        try:
            number = 1.0 if weight is None else float(weight)
        except ValueError:
            raise OptionError(
                "A regularizer is written weight*name, as in 0.5*total_variation;"
                f" {weight + '*' + part.name!r} was given."  # type: ignore[operator]
            ) from None
        penalties.append(PenaltySpec(part.name, number, part.options))
    return tuple(penalties)


def _parse(text: str, registry: Registry[Traits]) -> list[tuple[str | None, PartSpec]]:
    parts: list[tuple[str | None, PartSpec]] = []
    place = 0
    text = text.rstrip()
    if text.strip().lower() == "none":
        return []
    while place < len(text):
        match = _PART.match(text, place)
        if match is None:
            raise OptionError(
                f"{text[place:].strip()!r} is no {registry.kind}; one is written name or"
                " name(number, option=number)."
            )
        options = _options(match["name"], match["inside"] or "", registry)
        parts.append((match["weight"], PartSpec(match["name"], options)))
        place = match.end()
    return parts


def _options(name: str, inside: str, registry: Registry[Traits]) -> Options:
    """The options in a part's brackets, in order or by name."""
    schema = registry.schema(name)
    options = {}
    arguments = [argument.strip() for argument in inside.split(",") if argument.strip()]
    for place, argument in enumerate(arguments):
        key, equals, value = argument.partition("=")
        if not equals and place >= len(schema.options):
            raise OptionError(
                f"{name} takes {len(schema.options)} number(s); {inside!r} was given."
            )
        options[key.strip() if equals else schema.options[place].name] = (
            value.strip() if equals else argument
        )
    return schema.validate(options)
