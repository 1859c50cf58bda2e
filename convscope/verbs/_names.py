"""Names from a list or from text with commas."""

from __future__ import annotations

from collections.abc import Sequence

from convscope.core.registry import Registry
from convscope.errors import OptionError


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
