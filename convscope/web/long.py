"""Long work: optimizations and slow methods, one at a time, watched by pages and stopped when
nobody watches."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor

from convscope.core.cache import Cache
from convscope.core.duration import announce_to
from convscope.core.progress import report_to, show_to
from convscope.core.quantities import format_duration
from convscope.errors import ConvscopeError
from convscope.results.result import Result
from convscope.web.errors import Busy
from convscope.web.limits import CACHED_BYTES, LONG_QUEUE, STREAMS
from convscope.web.work import Event, Watcher, Work

AT_ONCE = (1, 2, 4, 8)
"""Steps after which an unfinished picture is always shown, so that the first one comes soon."""

SECONDS_BETWEEN = 0.2
"""Between two unfinished pictures later on."""

POLITE_SECONDS = 1.0
"""Longest pause of a step while quick questions are waiting, so that it is not starved."""

HEARTBEAT_SECONDS = 10.0
"""After so long without news a page is sent a sign of life; a closed one is noticed by it."""

RETURN_SECONDS = 15.0
"""So long work goes on that nobody watches: a lost connection that comes back finds it running."""

LAST = ("done", "stopped", "failed", "left")
"""Events after which none follows; "stopped" is of work that leaves no result, "left" of a page
that said so."""

STOPPED = "-stopped"
"""Ends the key of a result that is not whole."""


class LongLane:
    """One thread with its own copy of the network, and the results that it made."""

    def __init__(
        self, idle: threading.Event, limit: int = LONG_QUEUE, cached: int = CACHED_BYTES
    ) -> None:
        self.idle = idle
        self.limit = limit
        self.results: Cache[tuple[Result, Event]] = Cache(cached)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="convscope-long")
        self._work: dict[str, Work] = {}
        self._streams = 0

    def submit(self, call: Callable[[], object]) -> Future[object]:
        """Run something in the thread of long work (to prepare it)."""
        return self._pool.submit(call)

    def running(self) -> int:
        """How many pieces of work run or wait."""
        return len(self._work)

    def stop(self, key: str) -> bool:
        """Stop a piece of work: at once if it waits, else after its running step; what was made so
        far is its result."""
        work = self._work.get(key)
        if work is None:
            return False
        if work.cancel():
            self._finish(work, work.stop_event())
        return True

    def is_running(self, key: str) -> bool:
        """Whether a piece of work runs or waits."""
        return key in self._work

    def result(self, key: str) -> Result | None:
        """What came of a piece of work: whole, or until it was stopped."""
        known = self.results.get(key) or self.results.get(f"{key}{STOPPED}")
        return None if known is None else known[0]

    def leave(self, key: str, name: str) -> bool:
        """A watcher goes for good: work that nobody else watches ends after its running step."""
        work = self._work.get(key)
        if work is None:
            return False
        for watcher in work.watchers:
            if watcher.name == name:
                watcher.tell({"event": "left"})
        if all(watcher.name == name for watcher in work.watchers):
            self._end(work)
        return True

    async def watch(
        self,
        key: str,
        call: Callable[[], Result],
        draw: Callable[[object], str],
        finish: Callable[[Result], Event],
        name: str = "",
    ) -> AsyncGenerator[Event]:
        """The events of a piece of work, which begins unless it runs already or was done before.

        Whoever comes back to work that runs is first told how far it is. Work that nobody watches
        ends after `RETURN_SECONDS`, and at once where other work waits.

        Args:
            key: what tells equal work from other.
            call: what gives the result.
            draw: an unfinished picture as text.
            finish: the last event from the result.
            name: of the watcher, for `leave`.

        Raises:
            Busy: too much is waiting.
        """
        known = self.results.get(key)
        if known is not None:
            yield known[1]
            return
        if self._streams >= STREAMS:
            raise Busy(f"{self._streams} pages watch")
        work = self._work.get(key) or self._begin(key, call, draw, finish)
        watcher = Watcher(name)
        work.watchers.append(watcher)
        self._streams += 1
        try:
            first = work.latest or {"event": "waiting"}
            yield first
            if first["event"] in LAST:
                return
            while True:
                try:
                    event = await asyncio.wait_for(watcher.queue.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield {"event": "alive"}
                    continue
                yield event
                if event["event"] in LAST:
                    return
        finally:
            self._streams -= 1
            work.watchers.remove(watcher)
            if not work.watchers and not work.stopped.is_set():
                work.loop.call_later(RETURN_SECONDS, self._end_unwatched, work)
                if len(self._work) > 1:
                    self._end(work)

    def _end_unwatched(self, work: Work) -> None:
        if not work.watchers:
            self._end(work)

    def _end(self, work: Work) -> None:
        work.cancel()
        self._forget(work)

    def _finish(self, work: Work, event: Event) -> None:
        """It runs no more when its watchers hear so."""
        self._forget(work)
        work.publish(event)

    def _forget(self, work: Work) -> None:
        if self._work.get(work.key) is work:
            del self._work[work.key]

    def _begin(
        self,
        key: str,
        call: Callable[[], Result],
        draw: Callable[[object], str],
        finish: Callable[[Result], Event],
    ) -> Work:
        for other in list(self._work.values()):
            self._end_unwatched(other)
        if len(self._work) >= self.limit:
            raise Busy(f"{len(self._work)} optimizations")
        # What an earlier run left when it was stopped is not what this one shows.
        self.results.drop(f"{key}{STOPPED}")
        work = self._work[key] = Work(key, call, draw, asyncio.get_running_loop())

        def run() -> None:
            event = self._run(work, finish)
            work.loop.call_soon_threadsafe(self._finish, work, event)

        work.future = self._pool.submit(run)
        return work

    def _run(self, work: Work, finish: Callable[[Result], Event]) -> Event:
        if work.stopped.is_set():
            return work.stop_event()
        try:
            with (
                announce_to(lambda seconds: setattr(work, "duration", format_duration(seconds))),
                report_to(self._reporter(work)),
                show_to(self._viewer(work)),
            ):
                result = work.call()
            event = {"event": "done", **finish(result)}
        except KeyboardInterrupt:
            return work.stop_event()
        except ConvscopeError as error:
            return {"event": "failed", "error": str(error)}
        except Exception as error:  # the page must hear of it, whatever it is
            return {"event": "failed", "error": f"{type(error).__name__}: {error}"}
        if not str(result.details.get("ended") or "").startswith("interrupted"):
            self.results.put(work.key, (result, event), _size(result, event))
        else:
            self.results.put(f"{work.key}{STOPPED}", (result, event), _size(result, event))
        return event

    def _reporter(self, work: Work) -> Callable[[str, int, int], None]:
        def report(what: str, done: int, total: int) -> None:
            # As Ctrl-C does in a terminal: the loop keeps what it has made so far.
            if work.stopped.is_set():
                raise KeyboardInterrupt
            self.idle.wait(POLITE_SECONDS)
            how_far = work.advance(done, total)
            if work.latest is None or work.latest["event"] == "progress":
                work.publish({"event": "progress", "what": what, **how_far})

        return report

    def _viewer(self, work: Work) -> Callable[[str, int, int, Callable[[], object]], None]:
        def view(what: str, done: int, total: int, images: Callable[[], object]) -> None:
            now = time.monotonic()
            if done in AT_ONCE or now - work.shown_at >= SECONDS_BETWEEN:
                work.shown_at = now
                picture = work.draw(images())
                work.publish({"event": "picture", "image": picture, **work.advance(done, total)})

        return view

    def close(self) -> None:
        """Stop everything."""
        for work in list(self._work.values()):
            work.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _size(result: Result, event: Event) -> int:
    """About how many bytes a result takes."""
    return sum(array.nbytes for array in result.arrays.values()) + len(str(event.get("image", "")))
