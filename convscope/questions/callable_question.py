"""A question of the user's own: a function of what the network returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor

from convscope.errors import ConvscopeError, TargetError
from convscope.questions.question import Question

if TYPE_CHECKING:
    from convscope.networks.model import Model

TargetFunction: TypeAlias = Callable[[Any], Tensor]
"""From the network's output, whatever it is, one number per image."""


@dataclass(frozen=True)
class CallableQuestion(Question):
    """What a function makes of the network's output: one number per image, n or n 1."""

    function: TargetFunction

    def score(self, model: Model, output: object) -> Tensor:
        try:
            score = self.function(output)
        except ConvscopeError:
            raise
        except Exception as error:
            error.add_note(
                f"The target function {self.title(model)!r}, which was given, raised it."
            )
            raise
        if not isinstance(score, Tensor):
            raise TargetError(
                "A callable target must return a tensor with one number per image; it returned"
                f" {type(score).__name__}."
            )
        return score.reshape(-1) if score.ndim != 1 else score

    def title(self, model: Model) -> str:
        return str(getattr(self.function, "__name__", "score"))
