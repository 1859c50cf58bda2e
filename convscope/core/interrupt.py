"""Ctrl-C as a wish: the running batch is finished, nothing is lost. A second one stops at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Stop:
    """Whether somebody wished to stop."""

    def __init__(self) -> None:
        self.asked = False

    def until(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, until somebody wishes to stop."""
        for item in items:
            if self.asked:
                return
            yield item


@contextmanager
def stopping() -> Iterator[Stop]:
    """Inside the block the first Ctrl-C is only noted; the second one is a `KeyboardInterrupt` as
    ever."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        stop.asked = True
        print(
            "Stopping after what is running; Ctrl-C again stops at once.",
            file=sys.stderr,
            flush=True,
        )
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
