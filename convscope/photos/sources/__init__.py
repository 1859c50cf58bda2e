"""Where many photos come from: one source a file, each a function `(place) -> PhotoSource`.

Photos are listed in one fixed order without being read, so that millions of them take no memory,
and read by what was listed. `SourceTraits` say which text a source answers to.
"""

from __future__ import annotations

from dataclasses import dataclass

from convscope.core.registry import Registry


@dataclass(frozen=True)
class SourceTraits:
    """Which text a source answers to: one that begins with `prefix` ("hf:"), or files with this
    `ending` (".tar"). One without either answers to a folder."""

    prefix: str | None = None
    ending: str | None = None


registry = Registry(__name__, "photo source", SourceTraits, shared=("entry", "place", "source_of"))
register = registry.register
