"""The second pass: why the photos that matter get their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from convscope.atlas.scan.masks import Masks
from convscope.atlas.scan.read_ahead import read_photo
from convscope.audit.removal import without_background, without_object
from convscope.audit.tables import EXPLANATIONS, encode
from convscope.core.types import JsonObject
from convscope.errors import NumericError
from convscope.networks.model import Model
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.choice import Choice
from convscope.questions.target import Target

PHOTOS_PER_JOB = 32
"""Photos that are explained at once; what a run that was killed loses at most."""

MAX_OBJECT = 0.85
"""Share of the photo up to which there is a background beside the object."""


@dataclass(frozen=True)
class ExplainedPhoto:
    """A photo to explain: its number and entry, what it is taken for, and its label (-1 without
    one)."""

    number: int
    entry: Entry
    predicted: int
    label: int

    @property
    def is_mistake(self) -> bool:
        """Whether the answer is not the label."""
        return self.label not in (-1, self.predicted)

    @property
    def choice(self) -> Choice:
        """What is asked of it: the answer, of mistakes against the label."""
        return Choice(self.predicted, against=self.label if self.is_mistake else None)


@dataclass(frozen=True)
class ExplanationJob:
    """Photos that are explained together; `name` tells the job from all others."""

    name: str
    photos: tuple[ExplainedPhoto, ...]


class Explainer:
    """A job -> its rows of `EXPLANATIONS`, as bytes. It can be sent to another process.

    The heat at `fine_layer` tells places: on the 5 x 5 cells of a last layer, heat on an object
    runs into what stands beside it."""

    def __init__(
        self,
        model: Model,
        layer: str,
        fine_layer: str,
        source: PhotoSource,
        masks: Masks | None,
        half: bool,
    ) -> None:
        self.model, self.layer, self.fine_layer, self.source = model, layer, fine_layer, source
        self.masks, self.half = masks, half
        self._prepared: Model | None = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_prepared": None}

    def __call__(self, job: ExplanationJob) -> bytes:
        """The rows of a job."""
        return encode(EXPLANATIONS, self.rows(job.photos), job.name)

    def prepared(self) -> Model:
        """The network as it is computed here."""
        if self._prepared is None:
            layers = [self.fine_layer, self.layer]
            self._prepared = inference_copy(self.model, layers, half=self.half)
        return self._prepared

    def activations(self, photos: Sequence[ExplainedPhoto]) -> tuple[Tensor, Tensor]:
        """What the layer gives for some photos, and the gradient there of the answer's score, of
        mistakes of the answer's minus the label's (n c h w both)."""
        image = self.prepared().preprocess(torch.cat(self._read(photos)[0]))
        with Probe(self.prepared()) as probe:
            target = Target(probe.model, tuple(photo.choice for photo in photos))
            return probe.activation_and_gradient(image, self.layer, target)

    def rows(self, photos: Sequence[ExplainedPhoto]) -> list[JsonObject]:
        """The rows of some photos.

        Raises:
            NumericError: NaN or infinity in the explanations.
        """
        fitted, sizes = self._read(photos)
        image = self.prepared().preprocess(torch.cat(fitted))
        with Probe(self.prepared()) as probe:
            answers = [Choice(photo.predicted) for photo in photos]
            plain = self._attributed(probe, image, answers, fine=True)
            wrong = [index for index, photo in enumerate(photos) if photo.is_mistake]
            contrasts: dict[str, Tensor] = {}
            if wrong:
                choices = [photos[index].choice for index in wrong]
                contrasts = self._attributed(probe, image[wrong], choices)
            rows = [
                self._row(photo, {name: part[at] for name, part in plain.items()})
                for at, photo in enumerate(photos)
            ]
            for at, index in enumerate(wrong):
                rows[index]["contrast"] = contrasts["heat"][at].flatten().tolist()
                rows[index]["contrast_contributions"] = contrasts["contributions"][at].tolist()
            if self.masks is not None:
                for row, photo, size, seen in zip(rows, photos, sizes, fitted, strict=True):
                    mask = self.masks.read(photo.entry, size, self.model)
                    if mask is not None:
                        row |= self._object_facts(probe, row, seen, mask.to(seen.device))
        return rows

    def _read(self, photos: Sequence[ExplainedPhoto]) -> tuple[list[Tensor], list[tuple[int, int]]]:
        """The photos at the network's size (1 c h w each), and their heights and widths before. One
        at a time is in memory as large as it is."""
        fitted, sizes = [], []
        for photo in photos:
            image = read_photo(self.source, photo.entry)
            sizes.append((image.shape[-2], image.shape[-1]))
            fitted.append(self.model.fit(image))
            del image
        return fitted, sizes

    def _attributed(
        self, probe: Probe, image: Tensor, choices: list[Choice], *, fine: bool = False
    ) -> dict[str, Tensor]:
        """For each photo's question Grad-CAM (`heat`, n h w) and gradient x activation of every
        unit (`contributions`, n c); where it is asked for, HiResCAM at the finer layer
        (`fine_heat`, n H W; Draelos and Carin, 2020)."""
        target = Target(probe.model, tuple(choices))
        layers = list(dict.fromkeys([self.fine_layer, self.layer] if fine else [self.layer]))
        parts = probe.activations_and_gradients(image, layers, target)
        activation, gradient = parts[self.layer]
        maps = {
            "heat": (gradient.mean((2, 3), keepdim=True) * activation).sum(1),
            "contributions": (gradient * activation).sum((2, 3)),
        }
        if fine:
            activation, gradient = parts[self.fine_layer]
            maps["fine_heat"] = (gradient * activation).sum(1)
        if not all(bool(torch.isfinite(part).all()) for part in maps.values()):
            names = " or ".join(layers)
            raise NumericError(f"The activations of {names} are NaN or infinite on a photo.")
        return {name: part.cpu() for name, part in maps.items()}

    def _row(self, photo: ExplainedPhoto, maps: dict[str, Tensor]) -> JsonObject:
        heat, fine = maps["heat"], maps["fine_heat"]
        return {
            "number": photo.number,
            "photo": photo.entry.name,
            "predicted_index": photo.predicted,
            "label_index": photo.label,
            "rows": heat.shape[0],
            "columns": heat.shape[1],
            "heat": heat.flatten().tolist(),
            "contributions": maps["contributions"].tolist(),
            "contrast": [],
            "contrast_contributions": [],
            "fine_rows": fine.shape[0],
            "fine_columns": fine.shape[1],
            "fine_heat": fine.flatten().tolist(),
            "object": [],
        }

    def _object_facts(
        self, probe: Probe, row: JsonObject, image: Tensor, mask: Tensor
    ) -> JsonObject:
        """How much of the heat is on the object, and what is said without it or its background."""
        area, fine = float(mask.mean()), (row["fine_rows"], row["fine_columns"])
        heat = torch.tensor(row["heat"]).reshape(1, 1, row["rows"], row["columns"])
        wide = interpolate(heat.clamp_min(0), mask.shape[-2:], mode="bilinear").to(mask.device)
        total = float(wide.sum())
        facts: JsonObject = {
            "object": adaptive_avg_pool2d(mask, fine).flatten().tolist(),
            "object_area": area,
            "heat_on_object": float((wide * mask).sum()) / total if total > 0 else None,
        }
        if area <= MAX_OBJECT:
            changed = torch.cat([without_object(image, mask), without_background(image, mask)])
            answers = probe.scores(probe.model.preprocess(changed)).argmax(1).tolist()
            facts |= {"without_object": answers[0], "without_background": answers[1]}
        return facts
