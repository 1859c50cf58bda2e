"""What a changed photo should bring a network to say, and when it is reached: another class, a box
or a mask that is gone, a pixel of another class, a value at another number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from convscope.errors import TargetError
from convscope.networks.model import Model
from convscope.networks.task import labels_of_places, segmentation
from convscope.questions.box import BoxQuestion
from convscope.questions.choice import Choice
from convscope.questions.grammar import parse_question
from convscope.questions.like import LikeQuestion
from convscope.questions.mask import MaskQuestion
from convscope.questions.pixel import PixelQuestion
from convscope.questions.question import Question
from convscope.questions.value import ValueQuestion

GONE = 0.1
"""Below this probability a box is gone, and at this share of its places or fewer a mask."""


@dataclass(frozen=True)
class Answer:
    """What a network says, in words, and how probable it is (None of a value)."""

    text: str
    probability: float | None


@dataclass(frozen=True)
class Goal:
    """A question with nothing left open, and whether its score should rise or fall."""

    question: Question
    rises: bool = True

    @classmethod
    def of(cls, model: Model, target: int | str | None, output: object, image: int) -> Goal:
        """What a target means for one photo, from the network's answer to it: a class, or a pixel's
        class, to be reached; a box or mask to be gone; `value:K=NUMBER` or `like:PHOTO=NUMBER` to
        be crossed. None is the least likely class, the surest box or the largest mask.

        Raises:
            TargetError: no such thing, or one without a point at which it is reached.
        """
        if isinstance(target, str) and _is_number_goal(target.strip()):
            return ValueGoal.parse(model, target, output, image)
        question = _question(model, target, output, image)
        kind = next((GOALS[base] for base in GOALS if isinstance(question, base)), None)
        if kind is None or (isinstance(question, Choice) and question.index is None):
            raise TargetError(
                f"fool cannot tell when {question} is reached; give a class, box:K, mask:LABEL,"
                " pixel:X,Y@LABEL, value:K=NUMBER, or like:PHOTO=NUMBER."
            )
        return kind(question, rises=not isinstance(question, (BoxQuestion, MaskQuestion)))

    def is_reached(self, model: Model, output: object, image: int) -> bool:
        """Whether the network says so of this image."""
        raise NotImplementedError

    def answer(self, model: Model, output: object, image: int) -> Answer:
        """What the network says of this image instead, or by now."""
        raise NotImplementedError

    def title(self, model: Model) -> str:
        """What is wanted."""
        return self.question.title(model)


class ClassGoal(Goal):
    """The network's first answer is the class."""

    def is_reached(self, model: Model, output: object, image: int) -> bool:
        assert isinstance(self.question, Choice)
        return int(model.scores(output)[image].argmax()) == self.question.index

    def answer(self, model: Model, output: object, image: int) -> Answer:
        probabilities = model.probabilities(model.scores(output))[image]
        index = int(probabilities.argmax())
        return Answer(model.label(index), float(probabilities[index].detach()))


class BoxGoal(Goal):
    """The box is gone."""

    def is_reached(self, model: Model, output: object, image: int) -> bool:
        return self._probability(model, output, image) < GONE

    def answer(self, model: Model, output: object, image: int) -> Answer:
        probability = self._probability(model, output, image)
        name = self.question.title(model)
        return Answer(name if probability >= GONE else f"no {name}", probability)

    def title(self, model: Model) -> str:
        return f"no {self.question.title(model)}"

    def _probability(self, model: Model, output: object, image: int) -> float:
        return float(self.question.as_probability().score(model, output)[image].detach())


class MaskGoal(Goal):
    """Hardly any place of the mask has its class."""

    def is_reached(self, model: Model, output: object, image: int) -> bool:
        return self._share(output, image) <= GONE

    def answer(self, model: Model, output: object, image: int) -> Answer:
        return Answer(f"{self.question.title(model)} kept", self._share(output, image))

    def title(self, model: Model) -> str:
        return f"no {self.question.title(model)}"

    def _share(self, output: object, image: int) -> float:
        assert isinstance(self.question, MaskQuestion)
        assert self.question.mask is not None
        assert self.question.label is not None
        labels = labels_of_places(segmentation(output)[image : image + 1])[0]
        inside = labels[self.question.mask.to(labels.device)]
        return float(torch.eq(inside, self.question.label).float().mean())


class PixelGoal(Goal):
    """The pixel has the class."""

    def is_reached(self, model: Model, output: object, image: int) -> bool:
        assert isinstance(self.question, PixelQuestion)
        return self.question.seen_class(model, output, image) == self.question.label

    def answer(self, model: Model, output: object, image: int) -> Answer:
        assert isinstance(self.question, PixelQuestion)
        seen = self.question.seen_class(model, output, image)
        row, column = self.question.cell(model, segmentation(output))
        logits = segmentation(output)[image, :, row, column]
        several = len(logits) > 1
        probability = logits.softmax(0)[max(seen, 0)] if several else logits.sigmoid()[0]
        return Answer(model.label(seen) if seen >= 0 else "nothing", float(probability.detach()))


@dataclass(frozen=True)
class ValueGoal(Goal):
    """The value, or the likeness, has crossed a number."""

    number: float = 0.0

    @classmethod
    def parse(cls, model: Model, text: str, output: object, image: int) -> ValueGoal:
        """`value=12`, `value:3=12`, or a cosine, as in `like:photo2.jpg=0.9`.

        Raises:
            TargetError: no number to reach, or no such value.
        """
        name, equals, number = text.rpartition("=") if "=" in text else (text, "", "")
        question = parse_question(model, name.strip())
        try:
            wanted = float(number)
        except ValueError:
            wanted = math.nan
        is_goal = bool(equals) and math.isfinite(wanted)
        if not is_goal or not isinstance(question, (ValueQuestion, LikeQuestion)):
            raise TargetError(
                f"fool moves a value to a number, as in value:0=12; {text!r} was given."
            )
        question = question.prepare(model, None)
        now = float(question.score(model, output)[image].detach())
        return cls(question, rises=wanted >= now, number=wanted)

    def is_reached(self, model: Model, output: object, image: int) -> bool:
        value = float(self.question.score(model, output)[image].detach())
        return value >= self.number if self.rises else value <= self.number

    def answer(self, model: Model, output: object, image: int) -> Answer:
        value = float(self.question.score(model, output)[image].detach())
        return Answer(f"{self.question.title(model)} {value:.4g}", None)

    def title(self, model: Model) -> str:
        return f"{self.question.title(model)} {self.number:.4g}"


GOALS: dict[type[Question], type[Goal]] = {
    Choice: ClassGoal,
    BoxQuestion: BoxGoal,
    MaskQuestion: MaskGoal,
    PixelQuestion: PixelGoal,
}
"""Kind of question -> what reaching it means."""


def _is_number_goal(text: str) -> bool:
    if text.startswith("value"):
        return True
    number = text.rpartition("=")[2] if "=" in text else ""
    try:
        return text.startswith(("like:", "text:")) and math.isfinite(float(number))
    except ValueError:
        return False


def _question(model: Model, target: int | str | None, output: object, image: int) -> Question:
    task = model.task_of(output)
    if target is None and task in ("classification", "multi-label"):
        return Choice(int(model.scores(output)[image].detach().argmin()))
    if target is None and task == "regression":
        raise TargetError(
            f"{model.name} is a regression: say which number its value should reach, as in"
            " target='value:0=12'."
        )
    question = parse_question(model, target)
    if isinstance(question, PixelQuestion):
        if question.label is None:
            raise TargetError(f"fool needs a class to reach, as in {question}@LABEL.")
        return question
    with torch.no_grad():
        return question.resolve(model, output, image)
