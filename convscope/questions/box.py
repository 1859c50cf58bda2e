"""`box:2`, `box:dog`, `box:dog#1`: one detection of a detector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision import ops

from convscope.core.text import is_whole_number
from convscope.errors import TargetError
from convscope.networks.task import batch_size, detections
from convscope.questions.find_class import find_class
from convscope.questions.question import Question, require_task

if TYPE_CHECKING:
    from convscope.networks.model import Model

MIN_OVERLAP = 0.5
"""The least IoU at which a candidate still counts as the box asked about (Petsiuk et al., 2021)."""


@dataclass(frozen=True)
class BoxQuestion(Question):
    """The class score of the candidate that overlaps the box most, by at least half (IoU).

    The score is the logit where the network shows it, else the probability; 0 where no candidate
    is left. pytorch-grad-cam adds the IoU, which has no gradient. `box` is in pixels of the
    network's input or, if `is_relative`, in shares of its width and height.
    """

    text: str
    position: int = 0
    label: int | None = None
    box: tuple[float, ...] | None = None
    is_relative: bool = False
    probability: bool = False
    anywhere: bool = False

    is_local = True

    @classmethod
    def parse(cls, model: Model, text: str) -> BoxQuestion:
        """What follows `box:`: a row of the list of detections, or a label and which of them."""
        name, _, position = text.partition("#")
        name = name.strip()
        if is_whole_number(name):
            return cls(f"box:{name}", int(name))
        if position and not is_whole_number(position):
            raise TargetError(
                f"A box is written box:2, box:dog or box:dog#1; 'box:{text}' was given."
            )
        return cls(f"box:{text}", int(position or 0), find_class(model, name))

    @property
    def is_open(self) -> bool:  # type: ignore[override]
        return self.box is None and not self.anywhere

    def of_any_image(self) -> BoxQuestion:
        """The surest detection of the class, wherever it is."""
        if self.label is None or self.position:
            raise TargetError(
                f"{self} counts the boxes in a photo, and here there is none yet; ask for a class,"
                " as in box:LABEL."
            )
        return replace(self, anywhere=True)

    def resolve(self, model: Model, output: object, image: int) -> BoxQuestion:
        """The box's place and class, from the network's detections in this image.

        Raises:
            TargetError: there are not so many.
        """
        require_task(model, output, "detection", self)
        candidates = detections(output, image, model.num_detected_classes)
        rows = candidates.rows()
        if self.label is not None:
            rows = [row for row in rows if row[1] == self.label]
        if self.position >= len(rows):
            what = "" if self.label is None else f" of class {model.label(self.label)!r}"
            raise TargetError(
                f"{self} was asked for, but {model.name} found {len(rows)} box(es){what} in this"
                " photo; predict lists them, and counts from 0."
            )
        candidate, label = rows[self.position]
        box = tuple(candidates.boxes[candidate].tolist())
        return replace(self, label=label, box=box, is_relative=candidates.is_relative)

    def as_probability(self) -> BoxQuestion:
        return replace(self, probability=True)

    def score(self, model: Model, output: object) -> Tensor:
        if self.anywhere:
            require_task(model, output, "detection", self)
            return model.scores(output)[:, self.label]
        if self.box is None or self.label is None:
            return torch.stack(
                [
                    self.resolve(model, output, image).score(model, output)[image]
                    for image in range(batch_size(output))
                ]
            )
        return torch.stack(
            [self._best(model, output, image) for image in range(batch_size(output))]
        )

    def _best(self, model: Model, output: object, image: int) -> Tensor:
        candidates = detections(output, image, model.num_detected_classes)
        scores = candidates.scores
        if candidates.logits is not None and not self.probability:
            scores = candidates.logits
        if not len(scores) or self.label is None or self.box is None:
            return scores.sum() * 0
        asked = candidates.boxes.new_tensor([self.box])
        overlap = ops.box_iou(candidates.boxes.detach(), asked)[:, 0].nan_to_num()
        # Of the decoded boxes only those of the class have a score for it.
        overlap = torch.where(candidates.scores[:, self.label] > 0, overlap, 0)
        best = int(overlap.argmax())
        if overlap[best] < MIN_OVERLAP:
            lowest = scores[:, self.label].min()
            return lowest if candidates.logits is not None else lowest * 0
        return scores[best, self.label]

    def title(self, model: Model) -> str:
        return str(self) if self.label is None else f"{self} {model.label(self.label)}"

    def __str__(self) -> str:
        return self.text
