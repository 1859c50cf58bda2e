"""A `with` block of the whole process that overlapping calls of several threads share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator
from types import TracebackType


class SharedBlock(ContextDecorator):
    """Enters `block()` with the first call and leaves it with the last one.

    Were each call to note what was set before it and to put that back, two that overlap would leave
    behind what the first one had set.
    """

    def __init__(self, block: Callable[[], AbstractContextManager[object]]) -> None:
        self._make = block
        self._block: AbstractContextManager[object] | None = None
        self._calls = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._block is None:
                block = self._make()
                block.__enter__()
                self._block = block
            self._calls += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._calls -= 1
            if self._calls == 0 and self._block is not None:
                block, self._block = self._block, None
                block.__exit__(None, None, None)
