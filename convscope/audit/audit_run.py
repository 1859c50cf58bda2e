"""One audit from its arguments to what it measured."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from convscope.atlas.engines import Engine
from convscope.atlas.examples import check_batch
from convscope.atlas.scan.labels import Labels, LabelsLike, read_labels
from convscope.atlas.scan.listing import survey
from convscope.atlas.scan.masks import Masks
from convscope.atlas.store.parts import digest
from convscope.atlas.store.store import Store
from convscope.audit.concept_pass import LearnedConcepts
from convscope.audit.conclusions import Conclusions, conclude
from convscope.audit.explainer import Explainer
from convscope.audit.forward_pass import ForwardPass
from convscope.audit.output import check_apart, finer_layer, layer_of
from convscope.audit.passes import (
    AuditFiles,
    KeptRows,
    explain_all,
    learn_all_concepts,
    photos_to_explain,
    predict_all,
)
from convscope.audit.predictions import Predictions
from convscope.audit.selection import select
from convscope.core.extras import need
from convscope.core.interrupt import stopping
from convscope.errors import ConvscopeError, ImageError, InputError, OptionError
from convscope.networks.load import ModelLike, load_model
from convscope.networks.model import Model
from convscope.photos.listed import Listed
from convscope.photos.load_image import PhotoLike
from convscope.photos.sources.place import PhotoSource
from convscope.photos.sources.source_of import source_of

CONCEPTS_SHARE = 0.2
"""Of the seconds for explanations, so much is kept for the concepts, which come last."""

NO_TIME = "No time was left for concepts; with more --max-seconds there is."

VERSION = 3
"""Goes up when the same photos would give other rows than before."""


@dataclass(frozen=True)
class RunSettings:
    """What the rows depend on, beside the network and the photos: how many photos are explained,
    `worst` mistakes first."""

    max_explained: int
    worst: int
    seed: int
    batch: int
    half: bool


@dataclass(frozen=True)
class AuditRun:
    """What both passes need."""

    model: Model
    source: PhotoSource
    source_text: str
    num_photos: int
    labels: Labels
    masks: Masks | None
    layer: str
    settings: RunSettings
    files: AuditFiles
    kept: KeptRows
    engine: Engine

    @classmethod
    def of(
        cls,
        model: ModelLike,
        photos: PhotoLike,
        labels: LabelsLike,
        masks: str | None,
        layer: str | None,
        page: Path,
        settings: RunSettings,
        engine: Engine,
    ) -> AuditRun:
        """Read the arguments: what is wrong is said before any folder is made.

        Raises:
            InputError: photos, labels, masks, a network or a layer that cannot be used.
        """
        need("pyarrow")
        check_batch(settings.batch)
        source = _source(photos)
        surveyed = survey(source)
        check_apart(page.with_suffix(""), photos, source, masks)
        object_masks = None if masks is None else Masks(masks)
        if object_masks and not any(object_masks.path(entry) for entry in source.walk()):
            raise InputError(f"No mask in {masks} is named as a photo; cats/1.jpg has cats/1.png.")
        loaded = load_model(model)
        if loaded.task != "classification":
            raise OptionError(f"An audit takes a classifier; {loaded.name} is for {loaded.task}.")
        read = read_labels(loaded, source, labels)
        name = layer_of(loaded, layer)
        identity = [VERSION, loaded.identity, loaded.head, loaded.labels, surveyed.digest]
        identity += [asdict(read), object_masks and object_masks.identity, name]
        run = digest([*identity, asdict(settings), _token(source)])[:32]
        files = AuditFiles(Store(str(page.with_suffix("")), create=True), run)
        text = str(photos) if isinstance(photos, (str, Path)) else f"a list of {surveyed.count}"
        return cls(
            loaded,
            source,
            text,
            surveyed.count,
            read,
            object_masks,
            name,
            settings,
            files,
            files.kept(),
            engine,
        )

    def measure(self, max_seconds: float | None) -> tuple[Predictions, Conclusions]:
        """Both passes, the concepts of the worst mistakes, and what follows from them; where they
        fail, nothing is left behind."""
        try:
            return self._measure(max_seconds)
        except ConvscopeError:
            self.files.remove_parts()
            raise

    def _measure(self, max_seconds: float | None) -> tuple[Predictions, Conclusions]:
        settings, seed = self.settings, self.settings.seed
        forward = ForwardPass(
            self.model,
            self.source,
            self.labels,
            batch=settings.batch,
            half=settings.half,
            run=self.files.run,
        )
        try:
            with stopping() as stop:
                predictions = predict_all(self.files, forward, self.num_photos, self.engine, stop)
                if not predictions.is_labeled.any():
                    reason = predictions.skipped[0][1] if predictions.skipped else ""
                    raise ImageError(f"Not one labeled photo can be read. {reason}".strip())
                chosen = select(predictions, settings.max_explained, settings.worst, seed)
                photos = photos_to_explain(self.source, predictions, chosen)
                explainer = Explainer(
                    self.model,
                    self.layer,
                    finer_layer(self.model, self.layer),
                    self.source,
                    self.masks,
                    settings.half,
                )
                started = time.monotonic()
                budget = None if max_seconds is None else max_seconds * (1 - CONCEPTS_SHARE)
                rows = explain_all(self.files, explainer, photos, self.engine, stop, budget)
                numbers = {row["number"] for row in rows}
                explained = [photo for photo in photos if photo.number in numbers]
                learned = LearnedConcepts([], [], NO_TIME)
                if max_seconds is None or time.monotonic() - started < max_seconds:
                    learned = learn_all_concepts(
                        self.files, explainer, explained, settings.worst, seed
                    )
                if stop.asked:
                    raise KeyboardInterrupt
        finally:
            forward.close()
        conclusions = conclude(self.model, self.source, predictions, explained, rows, learned, seed)
        return predictions, conclusions


def _source(photos: PhotoLike) -> PhotoSource:
    if isinstance(photos, (list, tuple)):
        return Listed(photos)
    if not isinstance(photos, (str, Path)):
        raise ImageError(
            "An audit takes a folder, the name of another source, or a list of photos; a"
            f" {type(photos).__name__} was given."
        )
    return source_of(str(photos))


def _token(source: PhotoSource) -> str:
    """What keeps a run on photos in memory, which have no names, from going on with another's."""
    is_named = not isinstance(source, Listed) or source.are_files
    return "" if is_named else secrets.token_hex(8)
