"""The two passes, each resumable: what a run that was killed had finished is not done again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from convscope.atlas.engines import Engine
from convscope.atlas.scan import listing
from convscope.atlas.store.parts import digest
from convscope.atlas.store.store import Part, Store
from convscope.audit.concept_pass import (
    COUNT,
    LearnedConcepts,
    chosen_for_concepts,
    learn_concepts,
)
from convscope.audit.explainer import PHOTOS_PER_JOB, ExplainedPhoto, Explainer, ExplanationJob
from convscope.audit.forward_pass import ForwardPass
from convscope.audit.predictions import Integers, Predictions
from convscope.audit.tables import CONCEPT_MAPS, CONCEPTS, decode, encode
from convscope.core.interrupt import Stop
from convscope.core.progress import advance
from convscope.core.types import JsonObject
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource

PARTIAL = "partial"
"""The folder that holds the parts of runs that are not finished."""

TABLES = ("photos", "explanations", CONCEPT_MAPS.name, CONCEPTS.name)
"""What has parts there."""


@dataclass(frozen=True)
class KeptRows:
    """Photos and explanations that a run which was stopped had finished."""

    photos: int
    explanations: int


@dataclass(frozen=True)
class AuditFiles:
    """The folder of an audit; `run` is the hash of all that its rows depend on."""

    store: Store
    run: str

    def part_path(self, table: str, part: str) -> str:
        """Where a part of a table of this run is stored."""
        return self.store.path(PARTIAL, self.run, table, f"{part}.parquet")

    def parts(self, table: str) -> dict[str, Part]:
        """The sound parts of this run, by name."""
        parts = self.store.parts(PARTIAL, self.run, table)
        return {
            part.name.removesuffix(".parquet"): part
            for part in parts
            if self.store.header(part) is not None
        }

    def kept(self) -> KeptRows:
        """What is there before the run begins."""
        photos, explanations = (
            sum(self._num_rows(part) for part in self.parts(table).values())
            for table in ("photos", "explanations")
        )
        return KeptRows(photos, explanations)

    def _num_rows(self, part: Part) -> int:
        header = self.store.header(part)
        return 0 if header is None else header.rows

    def rows(self, table: str) -> Iterator[JsonObject]:
        """The rows of this run's parts, one part in memory at a time."""
        for _, part in sorted(self.parts(table).items()):
            yield from decode(self.store.load(part.path) or b"")

    def remove_parts(self) -> None:
        """Remove this run's parts, and the folders that are empty then."""
        for table in TABLES:
            for part in self.store.parts(PARTIAL, self.run, table):
                self.store.remove(part.path)
        for folder in (
            *((PARTIAL, self.run, name) for name in TABLES),
            (PARTIAL, self.run),
            (PARTIAL,),
            (),
        ):
            path = self.store.path(*folder)
            if self.store.files.isdir(path) and not self.store.files.ls(path, detail=False):
                self.store.files.rmdir(path)


def predict_all(
    files: AuditFiles, forward: ForwardPass, num_photos: int, run: Engine, stop: Stop
) -> Predictions:
    """Every photo's answer.

    Raises:
        KeyboardInterrupt: the user stopped; what is finished is kept.
    """
    done = {int(name.rpartition("-")[2]) for name in files.parts("photos")}
    missing = listing.shards(forward.source, done)
    shards = stop.until(listing.announce_ahead(missing, forward.announce))
    num_shards = -(-num_photos // listing.SHARD_SIZE)
    count = len(done)
    finished = min(count * listing.SHARD_SIZE, num_photos)
    what = f"audit: photos (going on after {finished:,})" if count else "audit: photos"
    advance(what, finished, num_photos)
    if count < num_shards:
        for shard, data in run(forward, shards, data=True):
            files.store.write(files.part_path("photos", f"part-{shard.number:06d}"), data)
            count += 1
            advance(what, min(count * listing.SHARD_SIZE, num_photos), num_photos)
    if count < num_shards:
        raise KeyboardInterrupt
    return Predictions.of(files.rows("photos"))


def photos_to_explain(
    source: PhotoSource, predictions: Predictions, indices: Integers
) -> list[ExplainedPhoto]:
    """The chosen photos with where they are, in the order of choice."""
    numbers = {int(predictions.number[index]): int(index) for index in indices}
    entries: Mapping[int, Entry] = {
        number: entry for number, entry in enumerate(source.walk()) if number in numbers
    }
    return [
        ExplainedPhoto(
            int(predictions.number[index]),
            entries[int(predictions.number[index])],
            int(predictions.predicted[index]),
            int(predictions.label[index]),
        )
        for index in indices
    ]


def explain_all(
    files: AuditFiles,
    explainer: Explainer,
    photos: Sequence[ExplainedPhoto],
    run: Engine,
    stop: Stop,
    max_seconds: float | None,
) -> list[JsonObject]:
    """The rows of the photos that were explained in time, in the order of choice.

    Raises:
        KeyboardInterrupt: the user stopped; what is finished is kept.
    """
    jobs = [
        ExplanationJob(
            f"part-{first // PHOTOS_PER_JOB:06d}", tuple(photos[first : first + PHOTOS_PER_JOB])
        )
        for first in range(0, len(photos), PHOTOS_PER_JOB)
    ]
    done = files.parts("explanations")
    missing = [job for job in jobs if job.name not in done]
    count = len(jobs) - len(missing)
    advance("audit: explanations", count, len(jobs))
    for job, data in run(explainer, stop.until(_until(missing, max_seconds))):
        files.store.write(files.part_path("explanations", job.name), data)
        count += 1
        advance("audit: explanations", count, len(jobs))
    if stop.asked:
        raise KeyboardInterrupt
    order = {photo.number: index for index, photo in enumerate(photos)}
    rows = [row for row in files.rows("explanations") if row["number"] in order]
    return sorted(rows, key=lambda row: order[row["number"]])


def _until(jobs: Iterable[ExplanationJob], seconds: float | None) -> Iterator[ExplanationJob]:
    """The jobs that begin in time; the first one always does."""
    started = time.monotonic()
    for number, job in enumerate(jobs):
        if number and seconds is not None and time.monotonic() - started > seconds:
            return
        yield job


def learn_all_concepts(
    files: AuditFiles, explainer: Explainer, photos: Sequence[ExplainedPhoto], worst: int, seed: int
) -> LearnedConcepts:
    """The concepts of the explained photos; a run that was killed after them reads its own."""
    chosen, num_mistakes = chosen_for_concepts(photos, worst)
    name = digest([[photo.number for photo in chosen], num_mistakes])[:32]
    if name in files.parts(CONCEPTS.name):
        concepts, maps = (
            decode(files.store.load(files.part_path(table.name, name)) or b"")
            for table in (CONCEPTS, CONCEPT_MAPS)
        )
        return LearnedConcepts(concepts, maps)
    advance("audit: concepts", 0, COUNT)
    learned = learn_concepts(explainer, chosen, num_mistakes, seed)
    if learned.concepts:
        # The maps first: with the concepts there, both are.
        for table, rows in ((CONCEPT_MAPS, learned.maps), (CONCEPTS, learned.concepts)):
            files.store.write(files.part_path(table.name, name), encode(table, rows, name))
    advance("audit: concepts", COUNT, COUNT)
    return learned
