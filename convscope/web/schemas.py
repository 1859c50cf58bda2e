"""What a request may say, read from the signatures of the verbs: forms and checks."""

from __future__ import annotations

from collections.abc import Mapping

import convscope
from convscope.attribution import registry as methods
from convscope.core.annotations import base, members
from convscope.core.schema import Parameter, Schema
from convscope.core.types import JsonObject
from convscope.core.validation import check
from convscope.errors import OptionError, TargetError, suggest
from convscope.questions.grammar import FILE_KINDS
from convscope.synthesis import presets
from convscope.web.limits import LARGEST_NUMBER, OPTION_BOUNDS

VERBS: dict[str, tuple[str, ...]] = {
    "activation_grid": ("layer", "cells", "size", "steps", "seed"),
    "predict": ("top",),
    "explain": ("method", "target", "layer", "seed"),
    "activations": ("layers",),
    "intervene": ("unit", "scale", "top"),
    "place": ("row", "column", "layers", "target", "top"),
    "visualize": ("units", "preset", "steps", "size", "seed"),
}
"""The verbs that a request may call, and which of their arguments it may set. None of these is a
path, a module or a network."""

MOST_TARGETS = 8
"""Of one question; a label may hold some of these commas itself."""


def arguments(verb: str, query: Mapping[str, str]) -> JsonObject:
    """The arguments of a verb from a request, converted and checked by its signature.

    Raises:
        OptionError: a verb, an argument or a value that is not allowed.
        TargetError: a target that names a file.
    """
    if verb not in VERBS:
        raise OptionError(f"There is no verb {verb!r} here; {suggest(verb, VERBS)}")
    known = _parameters(verb)
    if verb == "explain":
        method = query.get("method", "grad_cam")
        known |= {
            parameter.name: parameter
            for parameter in methods.schema(method).options
            if parameter.name not in known
        }
    checked: JsonObject = {}
    for name, text in query.items():
        if name not in known:
            raise OptionError(f"{verb} has no option {name!r}; {suggest(name, known)}")
        if text != "":
            checked[name] = _bounded(verb, known[name], text)
    return checked


def _parameters(verb: str) -> dict[str, Parameter]:
    schema = Schema.of_function(getattr(convscope, verb))
    return {
        parameter.name: parameter
        for parameter in schema.parameters
        if parameter.name in VERBS[verb]
    }


def _bounded(verb: str, parameter: Parameter, text: str) -> object:
    """One value, by the annotation of its parameter and within what one request may take."""
    if len(text) > 400:
        raise OptionError(f"{verb}: {parameter.name} is too long ({len(text)} characters).")
    # A unit's text is checked against the network's layers, not by an annotation.
    if parameter.name == "units":
        value: object = text
    elif parameter.name == "layers":
        value = [part.strip() for part in text.split(",")]  # as the command line gives it
    else:
        value = check(verb, parameter.name, parameter.type, text)
    if parameter.name == "target":
        _check_target(str(value))
    if parameter.name == "preset" and value not in presets.names():
        raise OptionError(f"There is no preset {text!r}; {suggest(text, presets.names())}")
    most = OPTION_BOUNDS.get(parameter.name, LARGEST_NUMBER)
    for number in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            continue
        if parameter.name in OPTION_BOUNDS and number < 1:
            raise OptionError(f"{verb}: {parameter.name} must be 1 or more; {number} was given.")
        if not -most <= number <= most and parameter.name not in (
            "seed",
            "target",
            "row",
            "column",
        ):
            raise OptionError(
                f"{verb}: {parameter.name} may be {most} at most here; {number} was given."
            )
    return value


def _check_target(text: str) -> None:
    if any(f"{kind}:" in text.lower() for kind in FILE_KINDS):
        raise TargetError("A target that names a file cannot be asked for over a connection.")
    if text.count(",") >= MOST_TARGETS:
        raise TargetError(f"At most {MOST_TARGETS} targets can be asked for at once.")


def form(parameter: Parameter) -> JsonObject:
    """One option as a field of a form."""
    kinds = {base(member) for member in members(parameter.type)} - {type(None)}
    if parameter.choices:
        kind = "choice"
    elif kinds == {bool}:
        kind = "switch"
    elif kinds <= {int, float}:
        kind = "number"
    else:
        kind = "text"
    default = parameter.default
    return {
        "name": parameter.name,
        "kind": kind,
        "choices": list(parameter.choices),
        "default": default if isinstance(default, (bool, int, float, str)) else None,
        "help": parameter.help,
    }


def method_forms() -> list[JsonObject]:
    """The attribution methods with their forms."""
    forms = []
    for name in methods:
        schema, traits = methods.schema(name), methods.traits(name)
        if traits.needs is not None or traits.extra is not None:
            continue
        forms.append(
            {
                "name": name,
                "summary": schema.summary,
                "space": traits.space,
                "quick": is_quick(name),
                "layer": any(parameter.name == "layer" for parameter in schema.parameters),
                "options": [
                    form(parameter) for parameter in schema.options if parameter.name != "layer"
                ],
            }
        )
    return forms


def is_quick(method: str) -> bool:
    """Whether a method runs the network about once, so that it goes before long work."""
    traits = methods.traits(method)
    return traits.single_run or traits.quick
