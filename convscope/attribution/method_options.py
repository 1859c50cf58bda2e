"""Which of the options that a caller gave belong to which attribution method."""

from __future__ import annotations

from collections.abc import Sequence

from convscope.attribution import registry
from convscope.core.types import Options
from convscope.errors import OptionError, suggest


def options_for(
    name: str, layer: str | Sequence[str] | None, options: Options, *, alone: bool
) -> Options:
    """The layer and the options for one of several methods: those that it takes. A method alone
    gets all, and says what it cannot take."""
    if alone:
        return {"layer": layer, "options": options}
    names = with_base(name, options)
    known = {parameter.name for method in names for parameter in registry.schema(method).options}
    kept = {option: value for option, value in options.items() if option in known}
    return {
        "layer": layer if any("layer" in parameters_of(method) for method in names) else None,
        "options": kept,
    }


def check_options(names: Sequence[str], options: Options) -> None:
    """Every option must be one that at least one of the methods, or the method it wraps, takes.

    Raises:
        OptionError: one is not, or there is no such method.
    """
    known = {
        parameter.name
        for name in names
        for method in with_base(name, options)
        for parameter in registry.schema(method).options
    }
    for option in set(options) - known:
        hint = (
            suggest(option, sorted(known - {"layer"}))
            if known - {"layer"}
            else "it takes no options."
        )
        raise OptionError(f"{' and '.join(names)} has no option {option!r}; {hint}")


def check_layer(names: Sequence[str], layer: str | Sequence[str] | None, options: Options) -> None:
    """A layer that was named must be one that at least one of the methods, or the method it wraps,
    looks at.

    Raises:
        OptionError: none does.
    """
    looking = (method for name in names for method in with_base(name, options))
    if layer is not None and not any("layer" in parameters_of(method) for method in looking):
        raise OptionError(
            f"{' and '.join(names)} look at the image, not at a layer; leave out layer={layer!r}."
        )


def parameters_of(name: str) -> set[str]:
    return {parameter.name for parameter in registry.schema(name).parameters}


def with_base(name: str, options: Options) -> list[str]:
    """A method, and the one it wraps where it is a wrapper."""
    if "inner" not in parameters_of(name):
        return [name]
    default = next(
        parameter.default for parameter in registry.schema(name).options if parameter.name == "base"
    )
    return [name, str(options.get("base", default))]
