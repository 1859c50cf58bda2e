"""A class, a contrast of two classes, or a class's probability: three readings of one row of
scores, which a batch looks up at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.errors import TargetError
from convscope.questions.box import BoxQuestion
from convscope.questions.find_class import find_class
from convscope.questions.mask import MaskQuestion
from convscope.questions.question import ASKED, Question
from convscope.questions.value import ValueQuestion

if TYPE_CHECKING:
    from convscope.networks.model import Model

CONTRAST = " vs "


@dataclass(frozen=True)
class Choice(Question):
    """A class score, unnormalized (a logit) unless said otherwise, as in Simonyan et al., 2013.

    `index` None means the network's own answer: the top class, the surest box, the largest mask.
    `against` is the class to subtract. `probability` asks for the probability instead of the logit.
    """

    index: int | None = None
    against: int | None = None
    probability: bool = False

    @classmethod
    def parse(cls, model: Model, text: int | str) -> Choice:
        """A class, or two joined by " vs "."""
        if isinstance(text, str) and CONTRAST in text:
            first, second = (find_class(model, side) for side in text.split(CONTRAST, 1))
            if first == second:
                raise TargetError(
                    f"Both sides of {text!r} are class {first} ({model.label(first)}); a contrast"
                    " needs two different classes."
                )
            return cls(first, against=second)
        return cls(find_class(model, text))

    @property
    def is_open(self) -> bool:  # type: ignore[override]
        return self.index is None

    def resolve(self, model: Model, output: object, image: int) -> Question:
        if not self.is_open:
            return self
        task = model.task_of(output)
        if task == "detection":
            return BoxQuestion("box:0").resolve(model, output, image)
        if task == "segmentation":
            return MaskQuestion(None).resolve(model, output, image)
        if task == "regression":
            return ValueQuestion(0)
        if task == "embedding":
            raise TargetError(
                f"{model.name} gives an embedding, which has no top class; it can be asked:"
                f" {ASKED[task]}."
            )
        return replace(self, index=int(model.scores(output)[image].detach().argmax()))

    def as_probability(self) -> Choice:
        return replace(self, probability=True) if self.against is None else self

    def score(self, model: Model, output: object) -> Tensor:
        scores = model.scores(output)
        if self.index is None:
            return torch.stack(
                [
                    self.resolve(model, output, image).score(model, output)[image]
                    for image in range(len(scores))
                ]
            )
        if self.probability:
            return model.probabilities(scores)[:, self.index]
        if self.against is not None:
            return scores[:, self.index] - scores[:, self.against]
        return scores[:, self.index]

    def title(self, model: Model) -> str:
        if self.index is None:
            return "top prediction"
        versus = "" if self.against is None else CONTRAST + model.label(self.against)
        return model.label(self.index) + versus
