"""Names from a list or from text with commas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convscope.core.registry import Registry
from convscope.errors import OptionError


def listed_names(names: str | Sequence[str], known: Registry[Any]) -> list[str]:
    """Names from a list or from text with commas, each once."""
    parts = names.split(",") if isinstance(names, str) else list(names)
    found = list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not found:
        raise OptionError(f"No {known.kind} was given; there is: {', '.join(known.names())}.")
    return found
