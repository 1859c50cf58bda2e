"""Names from a list or from text with commas."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convscope.core.registry import Registry
from convscope.errors import OptionError
from convscope.networks.layer import Layers


def listed_names(names: str | Sequence[str], known: Registry[object]) -> list[str]:
    """Names from a list or from text with commas, each once.

    Raises:
        OptionError: no name at all.
    """
    parts = names.split(",") if isinstance(names, str) else list(names)
    unique = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not unique:
        raise OptionError(f"No {known.kind} was given; there is: {', '.join(known.names())}.")
    return unique


def listed_layers(
    layers: Layers, names: Sequence[str] | str | None, default: Callable[[], Sequence[str]]
) -> list[str]:
    """Layers from names or patterns, in a list or in text with commas, each once and in the order
    in which they are asked for; those of `default` where none is.

    Raises:
        LayerError: there is no such layer.
    """
    patterns = names.split(",") if isinstance(names, str) else list(names or default())
    matches = (name for pattern in patterns for name in layers.match(pattern.strip()))
    return list(dict.fromkeys(matches))
