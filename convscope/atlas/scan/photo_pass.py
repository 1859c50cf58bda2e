"""A whole pass over a source's photos, shard by shard, resumable; and the writing of its parts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, Self, TypeVar

from convscope.atlas.engines import Engine
from convscope.atlas.scan import listing
from convscope.atlas.scan.crops import Cropper, PassFacts, RowsByJob
from convscope.atlas.scan.example_jobs import ExampleJob, select_examples
from convscope.atlas.scan.listing import Shard
from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.scanner import Scanner
from convscope.atlas.store.file_names import folder_name
from convscope.atlas.store.parts import encode_rows
from convscope.atlas.store.rows import SkippedColumns
from convscope.atlas.store.store import Store
from convscope.atlas.store.tables import EXAMPLES, SKIPPED
from convscope.core.interrupt import Stop
from convscope.core.progress import advance
from convscope.photos.sources.place import PhotoSource

MAX_CROPS = 50_000
"""Crops that are in memory at once; where there are more, the photos they are from are read again
for the next layers."""


@dataclass(frozen=True)
class PassFiles:
    """Where a pass writes: the network's folder, and the file that says how far it has come."""

    store: Store
    folder: str
    run: str

    @property
    def progress(self) -> str:
        """The path of the file that says how far the pass has come."""
        return self.store.path("partial", self.folder, f"run-{self.run}.parquet")

    def sweep(self, *tables: str) -> None:
        """Remove all but the finished parts of the tables that the pass writes."""
        for table in (*tables, "partial"):
            self.store.sweep(table)
        self.store.remove(self.progress)


class State(Protocol):
    """How far a pass has come, and what it knows."""

    @property
    def shards(self) -> set[int]:
        """The shards that are in it."""
        ...

    def merge(self, other: Self) -> None:
        """Take in another part of the pass."""
        ...

    def to_bytes(self) -> bytes:
        """For the file of progress."""
        ...


StateT = TypeVar("StateT", bound=State)
StateT_co = TypeVar("StateT_co", bound=State, covariant=True)


class StateScanner(Protocol[StateT_co]):
    """What turns shards into states."""

    source: PhotoSource

    def __call__(self, shard: Shard) -> bytes:
        """The state after that shard alone, as bytes."""
        ...

    def announce(self, shard: Shard) -> None:
        """Say which shard comes next."""
        ...

    def empty_state(self) -> StateT_co:
        """The state before any shard."""
        ...

    def read_state(self, data: bytes) -> StateT_co | None:
        """A state from its bytes; None where they are damaged."""
        ...


def scan_photos(
    files: PassFiles, scanner: StateScanner[StateT], num_photos: int, run: Engine, stop: Stop
) -> StateT:
    """The state after all photos; how far it has come is written after every shard."""
    stored = files.store.load(files.progress)
    state = None if stored is None else scanner.read_state(stored)
    if state is None:
        state = scanner.empty_state()
    missing = listing.shards(scanner.source, set(state.shards))
    items = stop.until(listing.announce_ahead(missing, scanner.announce))
    advance("atlas: photos", num_scanned(state, num_photos), num_photos)
    for _, data in run(scanner, items, data=True):
        part = scanner.read_state(data)
        assert part is not None
        state.merge(part)
        if num_scanned(state, num_photos) < num_photos or num_photos > listing.SHARD_SIZE:
            files.store.write(files.progress, state.to_bytes(), lossy=True)
        advance("atlas: photos", num_scanned(state, num_photos), num_photos)
    return state


def num_scanned(state: State, num_photos: int) -> int:
    """How many photos a state has behind it."""
    return min(len(state.shards) * listing.SHARD_SIZE, num_photos)


def write_examples(
    files: PassFiles,
    cropper: Cropper,
    state: PassState,
    jobs: Sequence[ExampleJob],
    samples: int,
    stop: Stop,
) -> int:
    """Write the parts of some jobs; how many were written before the stop. Also a job without any
    example has its part, by which the next pass knows that it is finished."""
    num_written = 0
    for group in _groups(jobs, state, samples):
        examples = [example for job in group for example in select_examples(state, job, samples)]
        num_photos = len({example.photo for example in examples})
        rows_by_job: RowsByJob = {}
        for num_read, new_rows in cropper.rows(state, examples):
            advance("atlas: crops, by photo", num_read, num_photos)
            rows_by_job |= new_rows
        for job in group:
            rows = rows_by_job.get(job, [])
            part = encode_rows(EXAMPLES, rows, [job.to_json(len(rows))])
            name = f"part-{job.hash}.parquet"
            path = files.store.path("examples", files.folder, folder_name(job.layer), name)
            files.store.write(path, part)
            num_written += 1
        if stop.asked:
            break
    return num_written


def write_skipped(files: PassFiles, facts: PassFacts, state: PassState) -> None:
    """Write name and reason of the photos that could not be read."""
    rows: list[SkippedColumns] = [
        {
            "model": facts.model,
            "model_id": facts.model_id,
            "photo": name,
            "reason": reason,
            "photos": facts.photos,
            "job": files.run,
        }
        for name, reason in state.skipped
    ]
    if rows:
        path = files.store.path("skipped", files.folder, f"part-{files.run}.parquet")
        part = encode_rows(SKIPPED, rows, [{"job": files.run, "rows": len(rows)}])
        files.store.write(path, part)


def photos_per_second(scanner: Scanner) -> float:
    """How fast the pass is, from one batch after a first one that is not counted."""
    entries = tuple(islice(scanner.source.walk(), scanner.batch))
    scanner.scan(Shard(0, entries))
    started = time.perf_counter()
    scanner.scan(Shard(0, entries))
    return len(entries) / (time.perf_counter() - started)


def _groups(
    jobs: Sequence[ExampleJob], state: PassState, samples: int
) -> Iterator[list[ExampleJob]]:
    """The jobs in groups whose crops fit in memory."""
    group: list[ExampleJob] = []
    num_crops = 0
    for job in jobs:
        k = state.layers[job.layer].value.shape[1]
        job_crops = (job.last - job.first) * (k + samples)
        if group and num_crops + job_crops > MAX_CROPS:
            yield group
            group, num_crops = [], 0
        group.append(job)
        num_crops += job_crops
    yield group
