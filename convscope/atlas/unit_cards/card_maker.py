"""One chunk of a layer's units -> the part with their cards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from convscope.atlas.scan.example_jobs import ExampleJob
from convscope.atlas.scan.labels import LabelTexts
from convscope.atlas.scan.masks import Masks
from convscope.atlas.scan.read_ahead import read_photo
from convscope.atlas.scan.top_k import NOTHING
from convscope.atlas.store.parts import encode_rows
from convscope.atlas.store.tables import CARDS
from convscope.atlas.unit_cards.card_rows import CardFacts, Measurements, card_row
from convscope.atlas.unit_cards.card_state import CardState
from convscope.atlas.unit_cards.effects import Effects, is_classifier, silence, strongest_changes
from convscope.atlas.unit_cards.label_names import label_evidence
from convscope.atlas.unit_cards.mask_names import MaskedPhoto, Overlaps, measure_overlaps
from convscope.atlas.unit_cards.readability import PHOTOS, Readability, embed, readability
from convscope.atlas.unit_cards.tuning import Responses, measure_tuning
from convscope.errors import ConvscopeError, ImageError
from convscope.networks.model import Model
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy


class CardMaker:
    """Makes cards from a finished pass; it can be sent to another process, where what all units of
    the network share is measured once.

    `names` are the labels in their order in the pass's sums, with what each is called; `masked` the
    photos that have masks, by number; `silenced` photos of each unit show its effects; `judge` is
    another network, for the readability.
    """

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        source: PhotoSource,
        state: CardState,
        facts: CardFacts,
        *,
        texts: LabelTexts,
        names: dict[str, str],
        masks: Masks | None,
        masked: Sequence[tuple[int, Entry]],
        silenced: int,
        judge: Model | None,
        seed: int,
    ) -> None:
        self.model, self.layers, self.source, self.state = model, list(layers), source, state
        self.facts, self.texts, self.names = facts, texts, names
        self.masks, self.masked = masks, list(masked)
        self.silenced, self.judge, self.seed = silenced, judge, seed
        self._forget()

    def _forget(self) -> None:
        self._prepared: Model | None = None
        self._responses: Responses | None = None
        self._overlaps: dict[str, Overlaps] | None = None
        self._features: dict[int, Tensor | None] = {}

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {
            "_prepared": None,
            "_responses": None,
            "_overlaps": None,
            "_features": {},
        }

    def __call__(self, job: ExampleJob) -> bytes:
        """The part of a job."""
        if self._prepared is None:
            self._prepared = inference_copy(self.model, self.layers)
        effects = self._effects(job)
        rows = [
            card_row(job, self.facts, self._measure(job, unit, effects)) for unit in _units(job)
        ]
        return encode_rows(CARDS, rows, [job.to_json(len(rows))])

    def _measure(self, job: ExampleJob, unit: int, effects: dict[int, Effects]) -> Measurements:
        best, least = self.state.best.layers[job.layer], self.state.least.layers[job.layer]
        texts = (self._text(number) for number in best.photo[unit].tolist() if number != NOTHING)
        overlaps = self._measured_overlaps().get(job.layer)
        labels = list(self.names)
        label = label_evidence(
            self.state.sums[job.layer], labels, unit, [text for text in texts if text is not None]
        )
        mask = None if overlaps is None else overlaps.evidence(unit, self.seed)
        return Measurements(
            unit,
            float(best.value[unit, 0]),
            -float(least.value[unit, 0]),
            None if label is None else label.called(self.names[label.label]),
            None if mask is None else mask.called(self.names[mask.label]),
            effects.get(unit),
            self._readability(job.layer, unit),
            self._tuning().curves(job.layer, unit),
        )

    def _text(self, number: int) -> str | None:
        return self.texts.text(number, self.state.best.entries[number])

    def _photo(self, number: int, entry: Entry) -> Tensor | None:
        """A photo (1 c h w in [0, 1]), or None where it is gone since the pass read it."""
        try:
            return read_photo(self.source, entry)
        except ConvscopeError:
            return None

    def _network(self) -> Model:
        assert self._prepared is not None
        return self._prepared

    def _tuning(self) -> Responses:
        if self._responses is None:
            try:
                self._responses = measure_tuning(self._network(), self.layers)
            except ImageError:
                # It takes images in other channels than gray or red, green and blue.
                self._responses = Responses({})
        return self._responses

    def _measured_overlaps(self) -> dict[str, Overlaps]:
        if self._overlaps is None:
            self._overlaps = {}
            if self.masked:
                with Probe(self._network()) as probe:
                    self._overlaps = measure_overlaps(
                        probe, self.layers, self._masked_photos, len(self.masked)
                    )
        return self._overlaps

    def _masked_photos(self) -> Iterator[MaskedPhoto]:
        model = self._network()
        for number, entry in self.masked:
            photo, text = self._photo(number, entry), self.texts.text(number, entry)
            if photo is None or text is None or self.masks is None:
                continue
            size = (int(photo.shape[-2]), int(photo.shape[-1]))
            mask = self.masks.read(entry, size, self.model)
            if mask is not None:
                image = model.preprocess(model.fit(photo))
                yield MaskedPhoto(image, mask[0, 0], text)

    def _effects(self, job: ExampleJob) -> dict[int, Effects]:
        """What silencing does, on the photos that excite each unit most; nothing where the network
        is no classifier."""
        if self.silenced == 0 or not is_classifier(self.model):
            return {}
        units_by_photo: dict[int, list[int]] = defaultdict(list)
        best = self.state.best
        for unit in _units(job):
            for number in best.layers[job.layer].photo[unit, : self.silenced].tolist():
                if number != NOTHING:
                    units_by_photo[number].append(unit)
        model = self._network()

        def photos() -> Iterator[tuple[Tensor, list[int]]]:
            for number, units in sorted(units_by_photo.items()):
                photo = self._photo(number, best.entries[number])
                if photo is not None:
                    yield model.preprocess(model.fit(photo)), units

        with Probe(model) as probe:
            changes = silence(probe, job.layer, photos())
        labels = [self.model.label(index) for index in range(self.model.classes)]
        return {
            unit: strongest_changes(change, labels, count)
            for unit, (change, count) in changes.items()
        }

    def _readability(self, layer: str, unit: int) -> Readability | None:
        """None without another network, or where there are too few photos."""
        judge = self.judge
        if judge is None:
            return None
        best, least = self.state.best, self.state.least
        count = min(PHOTOS, best.photos // 2)
        strong = best.layers[layer].photo[unit, :count].tolist()
        weak = [photo for photo in least.layers[layer].photo[unit].tolist() if photo not in strong]
        entries = best.entries | least.entries
        features = [
            [
                feature
                for number in numbers
                if (feature := self._feature(judge, number, entries)) is not None
            ]
            for numbers in (strong, weak[:count])
        ]
        if min(map(len, features)) < 2:
            return None
        return readability(torch.stack(features[0]), torch.stack(features[1]))

    def _feature(self, judge: Model, number: int, entries: dict[int, Entry]) -> Tensor | None:
        if number not in self._features:
            photo = None if number == NOTHING else self._photo(number, entries[number])
            self._features[number] = None if photo is None else embed(judge, photo)
        return self._features[number]


def _units(job: ExampleJob) -> range:
    return range(job.first, job.last)
