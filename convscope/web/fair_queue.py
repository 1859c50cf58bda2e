"""What waits for the thread of quick questions: clients take turns."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from convscope.web.errors import Busy


@dataclass(eq=False)
class Job:
    """Work that waits, and who gets its result.

    `slot` names work of which only the newest counts, as the frames of a camera; `replaced` are the
    futures of older ones, which get None when the newest is done.
    """

    client: str
    work: Callable[[], object]
    future: Future[object] = field(default_factory=Future)
    slot: str | None = None
    replaced: list[Future[object]] = field(default_factory=list)

    def run(self) -> None:
        """Do the work, unless it is done or nobody waits for it any more."""
        try:
            if not self.future.done() and self.future.set_running_or_notify_cancel():
                try:
                    result = self.work()
                except BaseException as error:
                    self.future.set_exception(error)
                else:
                    self.future.set_result(result)
        finally:
            self._end_replaced()

    def cancel(self) -> None:
        """Do nothing and say so to all who wait."""
        self.future.cancel()
        self._end_replaced()

    def _end_replaced(self) -> None:
        for future in self.replaced:
            if future.set_running_or_notify_cancel():
                future.set_result(None)


class FairQueue:
    """Jobs of many clients, taken from one client after the other.

    At most `limit` wait together, at most `client_limit` of one client.
    """

    def __init__(self, limit: int, client_limit: int) -> None:
        self.limit = limit
        self.client_limit = client_limit
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, deque[Job]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, job: Job) -> bool:
        """Let a job wait; whether it took a place of its own. One with a slot takes the place, in
        the queue, of its client's older one.

        Raises:
            Busy: too much is waiting.
        """
        with self._lock:
            jobs = self._jobs.get(job.client, ())
            for place, older in enumerate(jobs):
                if job.slot is not None and older.slot == job.slot:
                    job.replaced = [*older.replaced, older.future]
                    self._jobs[job.client][place] = job
                    return False
            if self._count >= self.limit or len(jobs) >= self.client_limit:
                self._drop_cancelled()
                jobs = self._jobs.get(job.client, ())
            if self._count >= self.limit:
                raise Busy(f"{self._count} questions")
            if len(jobs) >= self.client_limit:
                raise Busy(f"{len(jobs)} questions of this page")
            self._jobs.setdefault(job.client, deque()).append(job)
            self._count += 1
            return True

    def take(self) -> Job | None:
        """The next job: the first one of the client whose turn it is."""
        with self._lock:
            if not self._jobs:
                return None
            client, jobs = self._jobs.popitem(last=False)
            job = jobs.popleft()
            self._count -= 1
            if jobs:
                self._jobs[client] = jobs
            return job

    def _drop_cancelled(self) -> None:
        """Make room where nobody waits any more."""
        for client, jobs in list(self._jobs.items()):
            waiting = deque(job for job in jobs if not job.future.cancelled())
            for job in jobs:
                if job.future.cancelled():
                    job.cancel()
            self._count -= len(jobs) - len(waiting)
            self._jobs[client] = waiting
            if not waiting:
                del self._jobs[client]

    def clear(self) -> list[Job]:
        """Everything that waited; nothing waits any more."""
        with self._lock:
            jobs = [job for queue in self._jobs.values() for job in queue]
            self._jobs.clear()
            self._count = 0
            return jobs
