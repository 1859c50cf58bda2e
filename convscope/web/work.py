"""One piece of long work: who watches it, how far it is, and whether it was stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from convscope.core.types import JsonObject
from convscope.results.result import Result

Event = JsonObject


@dataclass(eq=False)
class Watcher:
    """A page that watches, by the name it gave, and the events it has not been sent yet."""

    name: str
    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(4))

    def tell(self, event: Event) -> None:
        """Send an event; if the page is slow it misses unfinished pictures only."""
        while self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)


@dataclass(eq=False)
class Work:
    """One piece of long work: what runs, who watches, and how far it is."""

    key: str
    call: Callable[[], Result]
    draw: Callable[[object], str]
    loop: asyncio.AbstractEventLoop
    watchers: list[Watcher] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    future: Future[None] | None = None
    latest: Event | None = None
    shown_at: float = 0.0
    step: int = 0
    steps: int = 0
    duration: str | None = None
    """About how long it takes in all, where that is long enough to be said."""

    def advance(self, step: int, steps: int) -> Event:
        """Note how far it is; the part of an event that says so."""
        self.step, self.steps = step, steps
        return {"step": step, "steps": steps, "duration": self.duration}

    def cancel(self) -> bool:
        """Call it off; whether it had not begun."""
        self.stopped.set()
        return self.future is not None and self.future.cancel()

    def publish(self, event: Event) -> None:
        """Send an event to every watcher, and to whoever comes back later."""
        self.latest = event
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._spread, event)

    def stop_event(self) -> Event:
        """The last event of work that was stopped and leaves no result."""
        how_far = (
            f"after {self.step:,} of {self.steps:,} steps" if self.step else "before the first step"
        )
        return {"event": "stopped", "ended": f"Stopped {how_far}: there is no result to show."}

    def _spread(self, event: Event) -> None:
        for watcher in self.watchers:
            watcher.tell(event)
