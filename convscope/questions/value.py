"""`value`, `value:3`: one number of the output as it is, for a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from convscope.core.text import is_whole_number
from convscope.errors import TargetError
from convscope.questions.question import Question

if TYPE_CHECKING:
    from convscope.networks.model import Model


@dataclass(frozen=True)
class ValueQuestion(Question):
    """One number of the network's output, raw."""

    index: int = 0

    @classmethod
    def parse(cls, model: Model, text: str) -> ValueQuestion:
        """What follows `value:`; nothing means the first number.

        Raises:
            TargetError: no number, or one that the output does not have.
        """
        if not text.strip():
            return cls()
        if not is_whole_number(text):
            raise TargetError(f"A value is written value or value:3; 'value:{text}' was given.")
        if int(text) >= model.classes:
            raise TargetError(
                f"{model.name} gives {model.classes} value(s), value:0 to"
                f" value:{model.classes - 1}; 'value:{text}' was given."
            )
        return cls(int(text))

    def score(self, model: Model, output: object) -> Tensor:
        return model.scores(output)[:, self.index]

    def title(self, model: Model) -> str:
        name = model.labels[self.index] if model.labels else str(self.index)
        return f"value {name}"

    def __str__(self) -> str:
        return f"value:{self.index}"
