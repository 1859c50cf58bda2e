"""`mask:road`: a class at all places that a segmenter gives to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.errors import TargetError
from convscope.networks.task import labels_of_places, segmentation
from convscope.questions.find_class import find_class
from convscope.questions.question import Question, require_task

if TYPE_CHECKING:
    from convscope.networks.model import Model


@dataclass(frozen=True)
class MaskQuestion(Question):
    """The class's logits summed over the places that the unchanged photo gives to it: a fixed mask
    (Vinogradova et al., 2020)."""

    label: int | None
    text: str = "mask"
    mask: Tensor | None = field(default=None, compare=False)
    anywhere: bool = False

    is_local = True

    @classmethod
    def parse(cls, model: Model, text: str) -> MaskQuestion:
        """What follows `mask:`, a label."""
        return cls(find_class(model, text.strip()), f"mask:{text.strip()}")

    @property
    def is_open(self) -> bool:  # type: ignore[override]
        return self.mask is None and not self.anywhere

    def of_any_image(self) -> MaskQuestion:
        """The class's mean over all places."""
        return replace(self, anywhere=True)

    def resolve(self, model: Model, output: object, image: int) -> MaskQuestion:
        """The mask, from what the network says of this image; without a label, the largest one.

        Raises:
            TargetError: no place of the image has this class.
        """
        require_task(model, output, "segmentation", self)
        labels = labels_of_places(segmentation(output)[image : image + 1])[0]
        present, counts = torch.unique(labels[labels >= 0], return_counts=True)
        if self.label is None and not len(present):
            raise TargetError(f"{model.name} finds nothing in this photo.")
        label = int(present[counts.argmax()]) if self.label is None else self.label
        mask = labels == label
        if not bool(mask.any()):
            named = ", ".join(model.label(int(index)) for index in present[:8]) or "nothing"
            raise TargetError(
                f"No place of this photo is {model.label(label)!r} to {model.name}; it sees:"
                f" {named}."
            )
        return replace(self, label=label, text=f"mask:{label}", mask=mask)

    def score(self, model: Model, output: object) -> Tensor:
        require_task(model, output, "segmentation", self)
        logits = segmentation(output)
        if self.anywhere:
            return logits[:, self.label].mean((1, 2))
        if self.mask is None or self.label is None:
            resolved = [self.resolve(model, output, image) for image in range(len(logits))]
            return torch.stack(
                [question.score(model, output)[image] for image, question in enumerate(resolved)]
            )
        return (logits[:, self.label] * self.mask.to(logits.device)).sum((1, 2))

    def title(self, model: Model) -> str:
        return "mask" if self.label is None else f"mask of {model.label(self.label)}"

    def __str__(self) -> str:
        return self.text
