"""Quick questions: one thread looks into the network, clients take turns, and equal questions are
answered once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar, cast

from convscope.core.cache import Cache
from convscope.web.fair_queue import FairQueue, Job
from convscope.web.limits import CACHED_BYTES, CLIENT_QUEUE, QUICK_QUEUE

T = TypeVar("T")

BURST_SECONDS = 1.0
"""How long questions that follow each other without a pause may share what is read once."""


@dataclass(frozen=True)
class Answer:
    """What a route sends: bytes, and what they are."""

    body: bytes
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Shared:
    """One piece of work, how many wait for it, and the clients in whose turn it is done."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.waiters = 0
        self.clients: set[str] = set()

    @property
    def future(self) -> Future[Answer]:
        """The answer."""
        return cast("Future[Answer]", self.job.future)


class QuickLane:
    """One thread for all that must be answered at once.

    Clients take turns. A second question that equals a running one waits for the same answer, which
    is computed in the turn of whichever of its clients comes first; answers are kept. What nobody
    waits for any more is not begun. `idle` is set while nothing runs or waits: long work steps
    aside until then.

    Args:
        burst: a block that is entered before questions that follow each other without a pause and
            left after them: what they can share is read in it once.
    """

    def __init__(
        self,
        limit: int = QUICK_QUEUE,
        client_limit: int = CLIENT_QUEUE,
        cached: int = CACHED_BYTES,
        burst: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.queue = FairQueue(limit, client_limit)
        self.cache: Cache[Answer] = Cache(cached)
        self.idle = threading.Event()
        self.idle.set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="convscope-quick")
        self._running: dict[str, Shared] = {}
        self._unfinished = 0
        self._lock = threading.Lock()
        self._enter_burst = burst
        self._burst: tuple[AbstractContextManager[object], float] | None = None

    async def answer(
        self, key: str, work: Callable[[], Answer], *, client: str = "", keep: bool = True
    ) -> Answer:
        """The answer of `work`, from the cache where the key was asked before.

        Raises:
            Busy: too much is waiting.
        """
        known = self.cache.get(key)
        if known is not None:
            return known
        shared = self._running.get(key)
        if shared is None:
            job = Job(client, work)
            self._put(job)
            shared = self._running[key] = Shared(job)
        elif client not in shared.clients:
            self._put(Job(client, shared.job.run))
        shared.clients.add(client)
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

    def submit(self, work: Callable[[], T], *, client: str = "") -> Future[T]:
        """Let work wait for its client's turn.

        Raises:
            Busy: too much is waiting.
        """
        return cast("Future[T]", self._put(Job(client, work)))

    def submit_newest(self, work: Callable[[], T], *, client: str, slot: str) -> Future[T | None]:
        """Work of which only the newest of a client counts: where an older one of that slot still
        waits, this takes its place, and the older one's result is None once this is done.

        Raises:
            Busy: too much is waiting.
        """
        return cast("Future[T | None]", self._put(Job(client, work, slot=slot)))

    def _put(self, job: Job) -> Future[object]:
        with self._lock:
            has_own_place = self.queue.put(job)
            if has_own_place:
                self._unfinished += 1
                self.idle.clear()
        if has_own_place:
            self._pool.submit(self._run_next)
        return job.future

    def _run_next(self) -> None:
        """Do the next job; there is none where its client is gone."""
        try:
            job = self.queue.take()
            if job is not None:
                self._begin_burst()
                job.run()
        finally:
            with self._lock:
                self._unfinished -= 1
                is_last = self._unfinished == 0
            if self._burst is not None and (is_last or time.monotonic() > self._burst[1]):
                (block, _), self._burst = self._burst, None
                block.__exit__(None, None, None)
            if is_last:
                self._set_idle()

    def _begin_burst(self) -> None:
        if self._burst is None:
            block = self._enter_burst()
            block.__enter__()
            self._burst = block, time.monotonic() + BURST_SECONDS

    def _set_idle(self) -> None:
        with self._lock:
            if self._unfinished == 0:
                self.idle.set()

    def close(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False)
        for job in self.queue.clear():
            job.cancel()
