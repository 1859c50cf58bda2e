"""One run for unit cards, from its arguments to what it wrote."""

from __future__ import annotations

import heapq
import json
import posixpath
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from convscope.atlas.engines import Engine
from convscope.atlas.examples import check_batch
from convscope.atlas.render.layer_selection import select_layers
from convscope.atlas.scan.example_jobs import ExampleJob, example_jobs
from convscope.atlas.scan.labels import LabelsLike, LabelTexts, read_label_texts
from convscope.atlas.scan.listing import survey
from convscope.atlas.scan.masks import Masks
from convscope.atlas.scan.photo_pass import PassFiles, num_scanned, scan_photos
from convscope.atlas.scan.top_k import priority
from convscope.atlas.store.file_names import folder_name, network_folder
from convscope.atlas.store.parts import digest
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.atlas.store.superseded import remove_superseded
from convscope.atlas.store.tables import CARDS
from convscope.atlas.unit_cards.card_maker import CardMaker
from convscope.atlas.unit_cards.card_rows import RECIPE_VERSION, CardFacts
from convscope.atlas.unit_cards.card_scanner import CardScanner
from convscope.atlas.unit_cards.card_state import CardState
from convscope.atlas.unit_cards.effects import is_classifier
from convscope.atlas.unit_cards.judge import choose_judge
from convscope.core.interrupt import Stop
from convscope.core.progress import advance
from convscope.core.quantities import format_duration, pluralize
from convscope.core.text import is_whole_number
from convscope.errors import ImageError, InputError
from convscope.networks.concept_layer import concept_digest, is_concept_layer
from convscope.networks.load import ModelLike, load_model
from convscope.networks.model import Model
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe

MASKED_PHOTOS = 256
"""Photos with masks that are compared at most, drawn by their names."""


@dataclass(frozen=True)
class CardSettings:
    """What the cards depend on, beside the network, the photos and what is said of them."""

    silenced: int
    seed: int
    batch: int


@dataclass(frozen=True)
class CardRun:
    """What the pass and the measurements need."""

    model: Model
    source: PhotoSource
    images: str
    num_photos: int
    texts: LabelTexts
    names: dict[str, str]
    masks: Masks | None
    judge: Model | None
    settings: CardSettings
    facts: CardFacts
    files: PassFiles
    scanner: CardScanner
    jobs: list[ExampleJob]

    @classmethod
    def of(
        cls,
        model: ModelLike,
        images: str,
        out: str | Path,
        layers: str | Sequence[str],
        labels: LabelsLike,
        masks: str | None,
        judge: str | None,
        settings: CardSettings,
    ) -> CardRun:
        """Read the arguments: what is wrong is said before any folder is made.

        Raises:
            InputError, ImageError, LayerError: photos, labels, masks or layers that cannot be used.
        """
        check_batch(settings.batch)
        source = source_of(images)
        surveyed = survey(source)
        if surveyed.count == 0:
            raise ImageError(f"There is no photo in {images}.")
        texts, counts = read_label_texts(source, labels)
        label_names = sorted(counts)
        object_masks = None if masks is None else Masks(masks)
        _require_labels(label_names, object_masks, are_given=labels is not None)
        loaded = load_model(model)
        with Probe(loaded) as probe:
            known = probe.layers
            selected = select_layers(loaded, known, layers)
        other = choose_judge(judge, loaded)
        recipe = asdict(settings) | {"judge": "" if other is None else other.name}
        # What is said of the photos tells rows apart: without labels there are other cards.
        recipe |= {"labels": digest(asdict(texts))[:16] if label_names else ""}
        recipe |= {"masks": "" if object_masks is None else digest(object_masks.identity)[:16]}
        units = {name: known[name].units for name in selected}
        identity = [RECIPE_VERSION, loaded.identity, units, surveyed.digest, recipe]
        identity += [concept_digest(name) for name in selected if is_concept_layer(name)]
        identity += [None if other is None else other.identity, loaded.labels]
        run_hash = digest(["cards", *identity])[:32]
        jobs = [
            job
            for name in selected
            for job in example_jobs(run_hash, name, known[name].order, units[name])
        ]
        text = json.dumps(recipe, sort_keys=True)
        folder = network_folder(loaded.name, loaded.identity)
        return cls(
            loaded,
            source,
            images,
            surveyed.count,
            texts,
            {label: _class_name(loaded, label) for label in label_names},
            object_masks,
            other,
            settings,
            CardFacts(loaded.name, loaded.identity, surveyed.digest, text),
            PassFiles(Store(out, create=True), folder, run_hash),
            CardScanner(loaded, selected, source, texts, label_names, batch=settings.batch),
            jobs,
        )

    def close(self) -> None:
        """End the threads that read photos."""
        self.scanner.close()

    def measure(self, run: Engine, stop: Stop) -> Summary:
        """Scan the photos and make the cards that are missing."""
        started = time.perf_counter()
        finished = self.files.store.finished_jobs("cards", self.files.folder)
        missing = [job for job in self.jobs if job.hash not in finished]
        if not missing:
            self._clean()
            return self._summarize(0, 0, 0, started)
        state = scan_photos(self.files, self.scanner, self.num_photos, run, stop)
        scanned = num_scanned(state, self.num_photos)
        if scanned < self.num_photos:
            sentence = (
                f"{self.files.store.url}: stopped after {scanned:,} of"
                f" {pluralize(self.num_photos, 'photo')}; the same command goes on from here."
            )
            return Summary(sentence, details={"photos": scanned}, stopped=True)
        if not state.best.photos:
            raise ImageError(
                f"None of the {pluralize(self.num_photos, 'photo')} in {self.images} can be read;"
                f" the first: {state.best.skipped[0][1]}"
            )
        num_written = self._make(missing, state, run, stop)
        if num_written == len(missing):
            self._clean()
        return self._summarize(num_written, len(missing), len(state.best.skipped), started)

    def _make(self, missing: list[ExampleJob], state: CardState, run: Engine, stop: Stop) -> int:
        """Measure the units and write a part for each job; how many were written."""
        maker = CardMaker(
            self.model,
            self.scanner.layers,
            self.source,
            state,
            self.facts,
            texts=self.texts,
            names=self.names,
            masks=self.masks,
            masked=self._masked(),
            silenced=self.settings.silenced,
            judge=self.judge,
            seed=self.settings.seed,
        )
        total = sum(job.last - job.first for job in missing)
        num_units = num_written = 0
        for job, part in run(maker, stop.until(missing)):
            name = f"part-{job.hash}.parquet"
            path = self.files.store.path("cards", self.files.folder, folder_name(job.layer), name)
            self.files.store.write(path, part)
            num_written += 1
            num_units += job.last - job.first
            advance("atlas: cards", num_units, total)
        return num_written

    def _clean(self) -> None:
        """Remove how far the run had come, and the same cards under other class labels: the
        network's last ones count."""
        self.files.sweep("cards")
        hashes = {job.hash for job in self.jobs}
        for layer in self.scanner.layers:
            folder = posixpath.join(self.files.folder, folder_name(layer))
            remove_superseded(self.files.store, CARDS, folder, hashes, ("raises", "recipe_version"))

    def _masked(self) -> list[tuple[int, Entry]]:
        """The photos with a mask and a label, the ones drawn where there are many."""
        masks = self.masks
        if masks is None:
            return []
        photos = (
            (priority(entry.name, self.settings.seed), number, entry)
            for number, entry in enumerate(self.source.walk())
            if masks.path(entry) is not None and self.texts.text(number, entry) is not None
        )
        drawn = heapq.nsmallest(MASKED_PHOTOS, photos, key=lambda photo: photo[:2])
        return sorted(
            ((number, entry) for _, number, entry in drawn), key=lambda numbered: numbered[0]
        )

    def _summarize(self, made: int, missing: int, skipped: int, started: float) -> Summary:
        url, seconds = self.files.store.url, time.perf_counter() - started
        units = pluralize(sum(job.last - job.first for job in self.jobs), "unit")
        if made < missing:
            sentence = (
                f"{url}: stopped; {made} of {pluralize(missing, 'part')} are there, and the same"
                " command goes on from here."
            )
            return Summary(sentence, details={"parts": made}, stopped=True)
        named, layers = self._count_named()
        sentence = f"{url}: the cards of {units} in {pluralize(self.num_photos, 'photo')}"
        sentence += f", {named:,} of them with a name" if self.names else ""
        sentence += f", {format_duration(seconds)}" if made else ", all there before"
        if skipped:
            sentence += f"; {pluralize(skipped, 'photo')} skipped, since unreadable"
        if self.judge is None:
            sentence += "; no readability, since there is no other network to judge it"
        details = {
            "units": sum(job.last - job.first for job in self.jobs),
            "named": named,
            "parts": made,
            "skipped": skipped,
            "seconds": round(seconds, 3),
        }
        return Summary(sentence + ".", layers, details)

    def _count_named(self) -> tuple[int, list[dict[str, object]]]:
        """How many units have a name, in all and by layer."""
        counts: dict[str, list[int]] = {job.layer: [0, 0] for job in self.jobs}
        hashes = {job.hash for job in self.jobs}
        for part in self.files.store.parts("cards", self.files.folder):
            for row in self.files.store.read(part, ["layer", "name", "job"]).to_pylist():
                if row["job"] in hashes:
                    counts[row["layer"]][0] += 1
                    counts[row["layer"]][1] += row["name"] is not None
        table: list[dict[str, object]] = [
            {"layer": layer, "units": units, "named": named}
            for layer, (units, named) in counts.items()
        ]
        return sum(named for _, named in counts.values()), table


def _class_name(model: Model, label: str) -> str:
    """A label that is a number is a class of the network; all others are words of their own."""
    if is_whole_number(label) and is_classifier(model) and int(label) < model.classes:
        return model.label(int(label))
    return label


def _require_labels(labels: Sequence[str], masks: Masks | None, *, are_given: bool) -> None:
    """Refuse masks without labels, and labels that are all the same; photos that lie in one folder,
    with nothing said of them, just name no unit."""
    if masks is not None and not labels:
        raise InputError(
            "Masks say where the objects are, but no photo has a label that says what they are;"
            " give labels= too, or put the photos in a folder a class."
        )
    if len(labels) == 1 and (are_given or masks is not None):
        raise InputError(
            f"All photos are labeled {labels[0]!r}; a unit is named by what tells labels apart, so"
            " give at least two."
        )
