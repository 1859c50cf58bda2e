"""Presets: published ways of making a picture, as data.

A preset is a TOML file: `source` says where its numbers are from, `steps` and `size` are its own,
`parameterization` names one with its options, `transforms` and `regularizers` are lists in order,
and `[recipe]` is how to climb. A table named after a technique replaces what it holds for that
technique. What a caller gives overrides it.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from convscope.errors import OptionError, suggest

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """All presets."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


@lru_cache
def preset(name: str, technique: str = "") -> dict[str, Any]:
    """The preset of that name, as it is for one technique.

    Raises:
        OptionError: there is none.
    """
    if name not in names():
        raise OptionError(f"There is no preset {name!r}; {suggest(name, names())}")
    whole = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = whole | whole.get(technique, {})
    if "recipe" not in found:
        known = [
            key for key, value in whole.items() if isinstance(value, dict) and "recipe" in value
        ]
        raise OptionError(f"The preset {name!r} is for {' and '.join(known)}, not for {technique}.")
    return found
