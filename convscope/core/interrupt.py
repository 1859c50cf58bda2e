"""Ctrl-C: the running batch is finished and nothing is lost; a second one stops at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
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


@dataclass
class StepCount:
    """The optimization steps of one verb: how many were made, how many may be made, and where it
    was interrupted (`after` so many `of` so many steps of the optimization that was running)."""

    steps_done: int = 0
    limit: int | None = None
    after: int | None = None
    of: int = 0
    is_stop_requested: bool = False
    parent: StepCount | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether the verb ended early."""
        return self.after is not None


_limit: ContextVar[int | None] = ContextVar("convscope_step_limit", default=None)
_count: ContextVar[StepCount | None] = ContextVar("convscope_step_count", default=None)


@contextmanager
def stop_after(steps: int | None) -> Iterator[None]:
    """Verbs inside the block end as if interrupted after so many optimization steps; None lets them
    finish."""
    token = _limit.set(steps)
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def count_steps() -> Iterator[StepCount]:
    """Count the steps of one verb. Within a verb that was interrupted, the next one does not begin.

    Raises:
        KeyboardInterrupt: the verb around this one was interrupted.
    """
    parent = _count.get()
    if parent is not None and parent.is_interrupted:
        raise KeyboardInterrupt
    count = StepCount(limit=_limit.get(), parent=parent)
    token = _count.set(count)
    try:
        yield count
    finally:
        _count.reset(token)
        if parent is not None and count.is_interrupted:
            parent.after, parent.of = count.after, count.of


def may_step() -> bool:
    """Whether the verb may make another step."""
    count = _count.get()
    if count is None:
        return True
    return not count.is_stop_requested and (count.limit is None or count.steps_done < count.limit)


def request_stop() -> None:
    """Let the running verb make no further step: somebody pressed Ctrl-C during the last one of an
    optimization, and another would follow."""
    count = _count.get()
    if count is not None:
        count.is_stop_requested = True


def step_made() -> None:
    """Count one step."""
    count = _count.get()
    if count is not None:
        count.steps_done += 1


def interrupted(after: int, of: int) -> None:
    """Note that the running verb ends after so many of so many steps."""
    count = _count.get()
    if count is not None:
        count.after, count.of = after, of
