"""Quick questions: one thread looks into the network, and equal questions are asked once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from convscope.core.cache import Cache
from convscope.web.errors import Busy
from convscope.web.limits import CACHED_BYTES, QUICK_QUEUE

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a route sends: bytes, and what they are."""

    body: bytes
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Shared:
    """One piece of work and how many clients wait for it."""

    def __init__(self, future: Future[Answer]) -> None:
        self.future = future
        self.waiters = 0


class QuickLane:
    """One thread for all that must be answered at once.

    A second question that equals a running one waits for the same answer, and answers are kept.
    What nobody waits for any more is not begun. `idle` is set while nothing runs or waits: long
    work steps aside until then.
    """

    def __init__(self, limit: int = QUICK_QUEUE, cached: int = CACHED_BYTES) -> None:
        self.limit = limit
        self.cache: Cache[Answer] = Cache(cached)
        self.idle = threading.Event()
        self.idle.set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="convscope-quick")
        self._running: dict[str, Shared] = {}
        self._waiting = 0
        self._lock = threading.Lock()

    async def answer(self, key: str, work: Callable[[], Answer], *, keep: bool = True) -> Answer:
        """The answer of `work`, from the cache where the key was asked before.

        Raises:
            Busy: too much is waiting.
        """
        known = self.cache.get(key)
        if known is not None:
            return known
        shared = self._running.get(key)
        if shared is None:
            shared = self._running[key] = Shared(self.submit(work))
        shared.waiters += 1
        try:
            answer = await asyncio.shield(asyncio.wrap_future(shared.future))
        finally:
            shared.waiters -= 1
            if shared.waiters == 0:
                shared.future.cancel()
                if self._running.get(key) is shared:
                    del self._running[key]
        if keep:
            self.cache.put(key, answer, len(answer.body))
        return answer

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Put work into the queue.

        Raises:
            Busy: it is full.
        """
        with self._lock:
            if self._waiting >= self.limit:
                raise Busy(f"{self._waiting} questions")
            self._waiting += 1
            self.idle.clear()
        future = self._pool.submit(work)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Future[T]) -> None:
        with self._lock:
            self._waiting -= 1
            if self._waiting == 0:
                self.idle.set()

    def close(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
