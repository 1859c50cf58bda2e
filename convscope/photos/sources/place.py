"""Where photos are, as text says it, and what a source of photos does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

from convscope.core.file_system import file_system_of
from convscope.core.types import Foreign
from convscope.errors import InputError
from convscope.photos.sources.entry import Entry

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


class PhotoSource(Protocol):
    """Many photos, listed in one fixed order. It can be pickled: other processes read from it."""

    def walk(self) -> Iterator[Entry]:
        """The photos, without reading them."""

    def read(self, entry: Entry) -> bytes:
        """The bytes of one of them."""


class Place:
    """A text that says where photos are.

    Args:
        text: a path or URL that fsspec knows, with wildcards or `{000..012}`, or what follows the
            prefix of a source.
        paths: the files that it stands for, where they are known.
    """

    def __init__(self, text: str, paths: list[str] | None = None) -> None:
        self.text = text
        if paths is not None:
            self.paths = paths

    @cached_property
    def _files_and_path(self) -> tuple[Foreign, str]:
        try:
            return file_system_of(self.text)
        except (ImportError, ValueError) as error:
            raise InputError(f"{self.text} cannot be opened: {error}") from None

    @property
    def files(self) -> Foreign:
        """The file system that it is on.

        Raises:
            InputError: there is no such file system.
        """
        return self._files_and_path[0]

    @cached_property
    def paths(self) -> list[str]:
        """The files, or the folder, that it stands for, sorted; one that is not there is left in
        unless it came from a wildcard."""
        files, path = self._files_and_path
        return sorted(
            {
                match
                for pattern in _expand_braces(path)
                for match in (
                    files.glob(pattern) if any(mark in pattern for mark in "*?[") else [pattern]
                )
            }
        )

    def under(self, ending: str) -> Place:
        """The files with this ending at any depth of the folder."""
        names = sorted(name for name in self.files.find(self.paths[0]) if name.endswith(ending))
        return Place(self.text, names)


def _expand_braces(path: str) -> list[str]:
    """Webdataset's shards-{000..012}.tar as single names."""
    braces = _BRACES.search(path)
    if braces is None:
        return [path]
    first, last = braces[1], braces[2]
    numbers = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return [
        name
        for number in numbers
        for name in _expand_braces(path[: braces.start()] + number + path[braces.end() :])
    ]
