"""Progress below the cell of a notebook: one bar for each loop, updated in place, gone at its
end."""

from __future__ import annotations

import html
import sys
import threading
import time
from dataclasses import dataclass

from convscope.core.extras import need
from convscope.core.types import Foreign

FIRST_SHOWN = 0.5
"""Seconds before a loop is worth a bar."""

BETWEEN_UPDATES = 0.2
"""Seconds between two messages to the page."""


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


@dataclass
class _Bar:
    """A loop, and its place on the page once it is shown."""

    cell: int
    started: float
    updated: float
    done: int = 0
    handle: Foreign = None


_bars: dict[str, _Bar] = {}


def show_progress(what: str, done: int, total: int) -> None:
    """A reporter (see `core/progress.py`) for cells; other threads than the cell's say nothing, nor
    do loops of a single step."""
    if total < 2 or threading.current_thread() is not threading.main_thread():
        return
    cell = int(sys.modules["IPython"].get_ipython().execution_count)
    now = time.monotonic()
    bar = _bars.get(what)
    # A bar of another cell, or of a loop that was broken off, stays as it is.
    if bar is None or bar.cell != cell or done < bar.done:
        bar = _bars[what] = _Bar(cell, started=now, updated=now)
    bar.done = done
    if done >= total:
        del _bars[what]
        if bar.handle is not None:
            bar.handle.update({"text/plain": "", "text/html": ""}, raw=True)
    elif now - bar.started >= FIRST_SHOWN and now - bar.updated >= BETWEEN_UPDATES:
        bar.updated = now
        page = _page(what, done, total, now - bar.started)
        if bar.handle is None:
            display = need("IPython.display").display
            bar.handle = display(page, raw=True, display_id=True)
        else:
            bar.handle.update(page, raw=True)


def _page(what: str, done: int, total: int, seconds: float) -> dict[str, str]:
    """What is shown, as HTML and as plain text."""
    left = f", {seconds / done * (total - done):.0f} s left" if done else ""
    text = f"{what}: {done:,} of {total:,}{left}"
    return {
        "text/plain": text,
        "text/html": f'<progress value="{done}" max="{total}"></progress> {html.escape(text)}',
    }
