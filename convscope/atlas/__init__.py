"""The atlas: a whole network at a glance, every unit's picture and the photos that excite it most,
in Parquet.

    from convscope import atlas
    atlas.build(model, "blocks.*", "atlas/")
    atlas.examples(model, "photos/", "atlas/", layers="blocks.*")
    atlas.cards(model, "photos/", "atlas/", layers="blocks.*")
    atlas.open("atlas/").unit("blocks.3", 11)

A file here that defines a function of its own name is a verb; one whose docstring shows a command
line is a subcommand of `convscope atlas` as well. Everything is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from convscope.core.schema import Schema
from convscope.errors import OptionError


def verbs() -> dict[str, Schema]:
    """The public functions by name, read from the files without importing them."""
    schemas = {}
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        try:
            schemas[path.stem] = Schema.of_file(path, path.stem)
        except OptionError:
            continue
    return schemas


class _Package(ModuleType):
    """Importing `atlas/build.py` puts a module where the function of that name belongs; the
    function stays."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and callable(getattr(value, name, None)):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    if not name.startswith("_") and name in verbs():
        return getattr(importlib.import_module(f"{__name__}.{name}"), name)
    raise AttributeError(f"module 'convscope.atlas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *verbs()})


if TYPE_CHECKING:
    from convscope.atlas.build import build as build
    from convscope.atlas.cards import cards as cards
    from convscope.atlas.compact import compact as compact
    from convscope.atlas.examples import examples as examples
    from convscope.atlas.export import export as export
    from convscope.atlas.ls import ls as ls
    from convscope.atlas.open import open as open
    from convscope.atlas.show import show as show
    from convscope.atlas.verify import verify as verify
