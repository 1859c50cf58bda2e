"""Engines: where an atlas's jobs run. File stem = name.

An engine is a function `(work, items, *, address, threads, data)` that yields `(item, bytes)` as
they are finished, in any order. `work` is a callable that can be sent to another process, `items`
is consumed as it goes, and `data` says that the items are long streams of photos. Closing the
iterator stops after what is running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

from convscope.core.registry import NoTraits, Registry

Item = TypeVar("Item")

registry = Registry(__name__, "engine", NoTraits)
register = registry.register


class Engine:
    """An engine by its name, with the options that the caller chose.

    Raises:
        OptionError: there is none of that name.
    """

    def __init__(self, name: str, *, address: str | None, threads: int | None) -> None:
        self._function = registry.get(name)
        self.address, self.threads = address, threads

    def __call__(
        self, work: Callable[[Item], bytes], items: Iterable[Item], *, data: bool = False
    ) -> Iterator[tuple[Item, bytes]]:
        """Run `work` on each of the items; each with what came of it."""
        results = self._function(work, items, address=self.address, threads=self.threads, data=data)
        return cast("Iterator[tuple[Item, bytes]]", results)
