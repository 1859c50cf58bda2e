"""From what a user writes to a question: one grammar for Python, the command line and rerun."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from convscope.errors import TargetError
from convscope.questions.box import BoxQuestion
from convscope.questions.callable_question import CallableQuestion, TargetFunction
from convscope.questions.choice import Choice
from convscope.questions.concept import ConceptQuestion
from convscope.questions.like import LikeQuestion
from convscope.questions.mask import MaskQuestion
from convscope.questions.pixel import PixelQuestion
from convscope.questions.question import ASKED, Question
from convscope.questions.text import TextQuestion
from convscope.questions.unit import UnitQuestion
from convscope.questions.value import ValueQuestion

if TYPE_CHECKING:
    from convscope.networks.model import Model

TargetLike: TypeAlias = int | str | TargetFunction | Question | None

KINDS: dict[str, Callable[[Model, str], Question]] = {
    "box": BoxQuestion.parse,
    "concept": ConceptQuestion.parse,
    "like": LikeQuestion.parse,
    "mask": MaskQuestion.parse,
    "pixel": PixelQuestion.parse,
    "text": TextQuestion.parse,
    "unit": UnitQuestion.parse,
    "value": ValueQuestion.parse,
}
"""The word before the colon -> what reads the rest."""

FILE_KINDS = ("concept", "like")
"""Those of them that name a file."""


def parse_question(model: Model, target: TargetLike) -> Question:
    """A question from a class index, a label, text such as "box:2", a callable, or None.

    Raises:
        TargetError: it names nothing that the network has.
    """
    if target is None or isinstance(target, Question):
        return target or Choice()
    if callable(target):
        return CallableQuestion(target)
    if isinstance(target, str):
        word, colon, rest = target.strip().partition(":")
        if word in KINDS and (colon or (word == "value" and not _is_label(model, word))):
            return KINDS[word](model, rest)
    if model._task == "regression":
        raise TargetError(
            f"{model.name} is a regression, so it has no class {target!r}; it can be asked:"
            f" {ASKED['regression']}."
        )
    return Choice.parse(model, target)


def _is_label(model: Model, word: str) -> bool:
    return model.labels is not None and word in model.labels
