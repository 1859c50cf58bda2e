"""Progress of long work: the core reports it, a shell decides whether and how to show it. A
notebook is a shell of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from convscope.core.duration import progressed
from convscope.core.notebook import in_notebook, show_progress

T = TypeVar("T")

Reporter = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""

_reporter: ContextVar[Reporter | None] = ContextVar("convscope_progress", default=None)


@contextmanager
def report_to(reporter: Reporter) -> Iterator[None]:
    """Send the progress of everything inside the block to `reporter`."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


def advance(what: str, done: int, total: int) -> None:
    """Say that `done` of `total` steps are done.

    Raises:
        OptionError: the running verb would take too long (see `duration`).
    """
    progressed(what, done, total)
    reporter = _reporter.get() or (show_progress if in_notebook() else None)
    if reporter is not None:
        reporter(what, done, total)


def track(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Iterate over `items`, reporting after each."""
    advance(what, 0, total)
    for done, item in enumerate(items, start=1):
        yield item
        advance(what, done, total)


Viewer = Callable[[str, int, int, Callable[[], object]], None]
"""Called after a step with what is being done, how many steps are done, how many there are, and a
function that gives the pictures so far (a tensor, n c h w in [0, 1])."""

_viewer: ContextVar[Viewer | None] = ContextVar("convscope_viewer", default=None)


@contextmanager
def show_to(viewer: Viewer) -> Iterator[None]:
    """Offer the unfinished pictures of everything inside the block to `viewer`."""
    token = _viewer.set(viewer)
    try:
        yield
    finally:
        _viewer.reset(token)


def offer(what: str, done: int, total: int, pictures: Callable[[], object]) -> None:
    """Let a viewer look at unfinished pictures; they are made only if it asks for them."""
    viewer = _viewer.get()
    if viewer is not None:
        viewer(what, done, total, pictures)
