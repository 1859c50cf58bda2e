"""How much a record inside a picture may ask for, also in a preset of the user's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from convscope.errors import InputError, shown
from convscope.results.provenance import Json
from convscope.synthesis.preset_text import is_text
from convscope.synthesis.presets import VERBS, preset

LIMITS: Mapping[str, int] = {
    "batch": 1024,
    "columns": 10_000,
    "diversity": 64,
    "first": 100_000,
    "margin": 1000,
    "octaves": 64,
    "cells": 64,
    "count": 4096,
    "samples": 1_000_000,
    "size": 8192,
    "steps": 100_000,
    "tile": 8192,
    "top": 1_000_000,
    "width": 10_000,
}
"""The most that a number of that name may be in a picture; what a person asks for by hand may be
more."""

MOST_UNITS = 4096
"""Units in one range."""

_RANGE = re.compile(r":\s*(\d{1,18})\s*-\s*(\d+)")


def check_bounds(values: Mapping[str, Json]) -> None:
    """Numbers that decide how long the work takes and how much memory it needs."""
    for name, value in values.items():
        numbers = value if isinstance(value, list) else [value]
        limit = LIMITS.get(name)
        for number in numbers:
            if limit is not None and isinstance(number, (int, float)) and number > limit:
                raise InputError(f"it asks for {name}={shown(number)}; at most {limit} is allowed.")
    for text in texts_of(dict(values)):
        for first, last in _RANGE.findall(text):
            if len(last) > 18 or int(last) - int(first) >= MOST_UNITS:
                raise InputError(
                    f"it asks for the units {shown(text)}; at most {MOST_UNITS} are allowed."
                )


def check_preset(verb: str, text: Json) -> None:
    """What a preset of the user's own says is checked as if it stood in the arguments."""
    if not isinstance(text, str) or not is_text(text):
        return
    data = preset(text, verb if verb in VERBS else "visualize").model_dump()
    for table in [data, *data["transforms"], data["parameterization"]]:
        check_bounds({key: value for key, value in table.items() if key != "source"})


def without_preset_text(arguments: dict[str, Json]) -> dict[str, Json]:
    """Arguments with what a preset of the user's own says as data, without its comments and
    source."""
    text = arguments.get("preset")
    if not isinstance(text, str) or not is_text(text):
        return arguments
    said = tomllib.loads(text)
    return arguments | {"preset": {key: said[key] for key in said if key != "source"}}


def texts_of(value: Json) -> Iterator[str]:
    """All texts within a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key == "made_by":  # a record of its own, checked as one
                continue
            yield key
            yield from texts_of(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from texts_of(entry)
