"""`pixel:120,88@cat`: a class at one pixel of the photo (x, y), for a segmenter."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.errors import TargetError
from convscope.networks.task import labels_of_places, segmentation
from convscope.questions.find_class import find_class
from convscope.questions.question import Question, require_task

if TYPE_CHECKING:
    from convscope.networks.model import Model

_WRITTEN = re.compile(r"^\s*(\d+)\s*,\s*(\d+)\s*(?:@(.+))?$")


@dataclass(frozen=True)
class PixelQuestion(Question):
    """The class's logit at one pixel (Seg-Grad-CAM, Vinogradova et al., 2020); by default the class
    that the network sees there.

    `place` is the pixel as shares (down, across) of what the network sees.
    """

    x: int
    y: int
    label: int | None
    text: str
    place: tuple[float, float] | None = None

    is_local = True

    @classmethod
    def parse(cls, model: Model, text: str) -> PixelQuestion:
        """What follows `pixel:`."""
        match = _WRITTEN.match(text)
        if match is None:
            raise TargetError(
                f"A pixel is written pixel:X,Y or pixel:X,Y@LABEL; 'pixel:{text}' was given."
            )
        label = find_class(model, match[3].strip()) if match[3] else None
        return cls(int(match[1]), int(match[2]), label, f"pixel:{text.strip()}")

    @property
    def is_open(self) -> bool:  # type: ignore[override]
        return self.label is None

    def prepare(self, model: Model, photo_size: tuple[int, int] | None) -> PixelQuestion:
        """Where the pixel of the photo lies in what the network sees.

        Raises:
            TargetError: it lies outside.
        """
        height, width = photo_size or model.size
        if not (self.x < width and self.y < height):
            raise TargetError(
                f"{self} lies outside: the photo is {width} pixels wide and {height} high."
            )
        top, left, seen_height, seen_width = (
            model.preprocessing.box(height, width) if photo_size else (0, 0, height, width)
        )
        down, across = (self.y + 0.5 - top) / seen_height, (self.x + 0.5 - left) / seen_width
        if not (0 <= down < 1 and 0 <= across < 1):
            raise TargetError(
                f"{self} lies outside the part of the photo that {model.name} sees: x from"
                f" {left:.0f} to {left + seen_width:.0f}, y from {top:.0f} to"
                f" {top + seen_height:.0f}."
            )
        return replace(self, place=(down, across))

    def resolve(self, model: Model, output: object, image: int) -> PixelQuestion:
        require_task(model, output, "segmentation", self)
        return replace(self, label=max(self.seen_class(model, output, image), 0))

    def score(self, model: Model, output: object) -> Tensor:
        require_task(model, output, "segmentation", self)
        logits = segmentation(output)
        row, column = self.cell(model, logits)
        if self.label is None:
            best: Tensor = logits[:, :, row, column].amax(1)
            return best
        return logits[:, self.label, row, column]

    def seen_class(self, model: Model, output: object, image: int) -> int:
        """The class that the network sees there; -1 for none."""
        logits = segmentation(output)[image : image + 1]
        row, column = self.cell(model, logits)
        return int(labels_of_places(logits)[0, row, column])

    def cell(self, model: Model, logits: Tensor) -> tuple[int, int]:
        """The row and column of the pixel in the network's answer."""
        place = self.place or self.prepare(model, None).place
        assert place is not None
        size = torch.Size(logits.shape[-2:])
        return int(place[0] * size[0]), int(place[1] * size[1])

    def title(self, model: Model) -> str:
        name = "" if self.label is None else f" {model.label(self.label)}"
        return f"pixel {self.x},{self.y}{name}"

    def __str__(self) -> str:
        return self.text
