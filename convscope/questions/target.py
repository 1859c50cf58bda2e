"""What is asked about, for a whole batch: a network's output becomes one score per image.

A target is a class index, a label or an unambiguous part of one, `None` for the network's own
answer, two classes joined by " vs ", a question in words (`box:2`, `mask:road`, `pixel:120,88@cat`,
`value:1`, `like:photo2.jpg`, `text:a cat`, `unit:blocks.3:11`), or any callable that takes the
network's output and gives one number per image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from convscope.errors import TargetError
from convscope.networks.task import batch_size
from convscope.questions.callable_question import CallableQuestion
from convscope.questions.choice import Choice
from convscope.questions.concept import ConceptQuestion
from convscope.questions.find_class import find_class
from convscope.questions.grammar import TargetLike, parse_question
from convscope.questions.question import Question
from convscope.questions.unit import UnitQuestion

if TYPE_CHECKING:
    from convscope.networks.layer import Layers
    from convscope.networks.layout import Layout
    from convscope.networks.model import Model

__all__ = ["Choice", "Question", "Target", "TargetLike", "find_class"]


@dataclass(frozen=True)
class Target:
    """The questions of a batch: one for every image, or a single one for all."""

    model: Model
    choices: tuple[Question, ...]

    @classmethod
    def of(cls, model: Model, asked: TargetLike | Sequence[TargetLike]) -> Target:
        """Read what the caller gave.

        Raises:
            TargetError: an empty list, or no such class; the message names the range or the near
                misses.
        """
        targets: list[TargetLike]
        if isinstance(asked, Sequence) and not isinstance(asked, str):
            targets = list(asked)
        else:
            targets = [asked]
        if not targets:
            raise TargetError(
                "The list of targets is empty; leave the target out for the top prediction."
            )
        return cls(model, tuple(parse_question(model, target) for target in targets))

    @classmethod
    def of_any_image(cls, model: Model, text: str) -> Target:
        """A question in words, ready to be asked of images that are still to be made.

        Raises:
            TargetError: it names nothing that the network has, or points at what only a photo has.
        """
        question = parse_question(model, text).of_any_image()
        return cls(model, (question,)).prepared([model.size])

    def __len__(self) -> int:
        return len(self.choices)

    def expand(self, count: int) -> Target:
        """One choice for each of `count` images."""
        if len(self) == count:
            return self
        if len(self) != 1:
            raise TargetError(
                f"{len(self)} targets were given for {count} images; give one, or one for each"
                " image."
            )
        return Target(self.model, self.choices * count)

    def repeat(self, times: int) -> Target:
        """For a batch in which every image stands `times` times in a row."""
        return Target(self.model, tuple(choice for choice in self.choices for _ in range(times)))

    def at(self, place: int) -> Target:
        """The target of one image alone."""
        return Target(self.model, (self.choices[place if len(self) > 1 else 0],))

    def as_probability(self) -> Target:
        """The same classes asked about by their probability; what has none stays what it is."""
        return Target(self.model, tuple(choice.as_probability() for choice in self.choices))

    @property
    def is_probability(self) -> bool:
        """Whether every score is a probability, as those that `as_probability` could make one."""
        return all(getattr(choice, "probability", False) for choice in self.choices)

    @property
    def open(self) -> bool:
        """Whether a question still waits for the network's own answer."""
        return any(choice.is_open for choice in self.choices)

    @property
    def is_local(self) -> bool:
        """Whether all questions are about a part of the photo each: boxes, masks, pixels, also
        where the network's own answer will be one."""
        return all(
            choice.is_local
            or (
                isinstance(choice, Choice)
                and choice.is_open
                and self.model.task in ("detection", "segmentation")
            )
            for choice in self.choices
        )

    @property
    def layer(self) -> str | None:
        """The layer whose output is asked about; None for the network's.

        Raises:
            TargetError: some of the questions ask about a layer, others about something else.
        """
        layers = {choice.layer for choice in self.choices}
        if len(layers) > 1:
            raise TargetError(
                "A batch cannot mix units of different layers, or units with other questions; ask"
                " about them one after the other."
            )
        return layers.pop()

    def prepared(self, photo_sizes: Sequence[tuple[int, int]]) -> Target:
        """The same with every name looked up, for photos of these heights and widths."""
        sizes = list(photo_sizes)
        questions = self.expand(len(sizes)).choices if len(sizes) > 1 else self.choices
        if len(sizes) == 1:
            sizes = sizes * len(questions)
        return Target(
            self.model,
            tuple(
                question.prepare(self.model, size)
                for question, size in zip(questions, sizes, strict=True)
            ),
        )

    def located(self, layers: Layers, layout: Layout, image_size: tuple[int, int]) -> Target:
        """Units looked up among the network's layers."""
        return Target(
            self.model,
            tuple(
                choice.located(layers, layout, image_size)
                if isinstance(choice, (UnitQuestion, ConceptQuestion))
                else choice
                for choice in self.choices
            ),
        )

    def resolved(self, output: object) -> Target:
        """The same with nothing left open, from the network's answer to the unchanged images."""
        if not self.open:
            return self
        questions = self.expand(batch_size(output)).choices
        return Target(
            self.model,
            tuple(
                question.resolve(self.model, output, image)
                for image, question in enumerate(questions)
            ),
        )

    def __call__(self, output: object) -> Tensor:
        """One score per image (n) from what the network returned.

        Raises:
            TargetError: a callable target that did not give one number per image.
        """
        if self.open:
            return self.resolved(output)(output)
        # Questions with the same text may hold different masks or boxes; classes and callables say
        # all there is to them.
        is_plain = all(isinstance(choice, (Choice, CallableQuestion)) for choice in self.choices)
        if len(set(self.choices if is_plain else map(id, self.choices))) == 1:
            return self.choices[0].score(self.model, output)
        if any(isinstance(choice, CallableQuestion) for choice in self.choices):
            raise TargetError(
                "A batch cannot mix a callable target with other targets; ask about them one after"
                " the other."
            )
        if is_plain:
            return self._class_scores(output)
        rows = [
            choice.score(self.model, output)[image] for image, choice in enumerate(self.choices)
        ]
        return torch.stack(rows)

    def _class_scores(self, output: object) -> Tensor:
        """Every image's own class, in one lookup."""
        choices = [choice for choice in self.choices if isinstance(choice, Choice)]
        scores = self.model.scores(output)
        index = torch.tensor([choice.index for choice in choices], device=scores.device)
        selected = scores.gather(1, index[:, None])[:, 0]
        if any(choice.probability for choice in choices):
            probability = self.model.probabilities(scores).gather(1, index[:, None])[:, 0]
            wanted = torch.tensor([choice.probability for choice in choices], device=scores.device)
            selected = torch.where(wanted, probability, selected)
        if any(choice.against is not None for choice in choices):
            pairs = [(choice.index, choice.against) for choice in choices]
            other = torch.tensor([a if b is None else b for a, b in pairs], device=scores.device)
            has_other = torch.tensor([b is not None for _, b in pairs], device=scores.device)
            selected = selected - has_other * scores.gather(1, other[:, None])[:, 0]
        return selected

    def titles(self) -> list[str]:
        """What to write above each picture."""
        return [choice.title(self.model) for choice in self.choices]
