"""What is asked about: a network's output becomes one score per image.

A target is a class index, a label or an unambiguous part of one, `None` for the top prediction, two
classes joined by " vs " (the difference of their logits), or any callable that takes the network's
output and gives one number per image. Scores are unnormalized (logits) unless said otherwise, as in
Simonyan et al., 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from convscope.errors import TargetError, suggest

if TYPE_CHECKING:
    from convscope.networks.model import Model

CONTRAST = " vs "


@dataclass(frozen=True)
class Choice:
    """One image's target.

    `index` None means the top prediction. `against` is the class to subtract. `probability` asks
    for the probability instead of the logit. `function` overrides all of them.
    """

    index: int | None = None
    against: int | None = None
    probability: bool = False
    function: Callable[[Any], Tensor] | None = None

    def resolved(self, scores: Tensor) -> Choice:
        """The same with the top prediction named; `scores` is one image's row."""
        if self.index is not None or self.function is not None:
            return self
        return Choice(int(scores.argmax()), self.against, self.probability)


TargetLike: TypeAlias = int | str | Callable[[Any], Tensor] | Choice | None
"""A class index, a label or two joined by " vs ", any score of an output; None is the top
prediction."""


@dataclass(frozen=True)
class Target:
    """The targets of a batch: one choice for every image, or a single one for all."""

    model: Model
    choices: tuple[Choice, ...]

    @classmethod
    def of(cls, model: Model, given: TargetLike | Sequence[TargetLike]) -> Target:
        """Read what the caller gave.

        Raises:
            TargetError: no such class; the message names the range or the near misses.
        """
        many: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given]
        return cls(model, tuple(_choice(model, each) for each in many))

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
        """The same classes asked about by their probability; contrasts and callables stay what they
        are."""
        choices = tuple(
            replace(choice, probability=True)
            if choice.against is None and choice.function is None
            else choice
            for choice in self.choices
        )
        return Target(self.model, choices)

    @property
    def open(self) -> bool:
        """Whether a choice still waits for the network's own answer."""
        return any(choice.index is None and choice.function is None for choice in self.choices)

    def resolved(self, output: Any) -> Target:
        """The same with every top prediction named."""
        if not self.open:
            return self
        scores = self.model.scores(output).detach()
        full = self.expand(scores.shape[0])
        return Target(
            self.model,
            tuple(choice.resolved(row) for choice, row in zip(full.choices, scores, strict=True)),
        )

    def __call__(self, output: Any) -> Tensor:
        """One score per image (n) from what the network returned.

        Raises:
            TargetError: a callable target that did not give one number per image.
        """
        if any(choice.function is not None for choice in self.choices):
            return self._custom(output)
        scores = self.model.scores(output)
        target = self.resolved(output).expand(scores.shape[0])
        index = torch.tensor([choice.index for choice in target.choices], device=scores.device)
        chosen = scores.gather(1, index[:, None])[:, 0]
        if any(choice.probability for choice in target.choices):
            probability = self.model.probabilities(scores).gather(1, index[:, None])[:, 0]
            chosen = torch.where(
                torch.tensor(
                    [choice.probability for choice in target.choices], device=scores.device
                ),
                probability,
                chosen,
            )
        if any(choice.against is not None for choice in target.choices):
            other = torch.tensor(
                [
                    choice.against if choice.against is not None else choice.index
                    for choice in target.choices
                ]
            )
            mask = torch.tensor(
                [choice.against is not None for choice in target.choices], device=scores.device
            )
            chosen = chosen - mask * scores.gather(1, other.to(scores.device)[:, None])[:, 0]
        return chosen

    def _custom(self, output: Any) -> Tensor:
        functions = {choice.function for choice in self.choices}
        if len(functions) == 1 and None not in functions:
            score = functions.pop()(output)  # type: ignore[misc]
            if not isinstance(score, Tensor):
                raise TargetError(
                    "A callable target must return a tensor with one number per image; it returned"
                    f" {type(score).__name__}."
                )
            return score.reshape(-1) if score.ndim != 1 else score
        raise TargetError(
            "A batch cannot mix a callable target with other targets; ask about them one after the"
            " other."
        )

    def titles(self) -> list[str]:
        """What to write above each picture."""
        return [self._title(choice) for choice in self.choices]

    def _title(self, choice: Choice) -> str:
        if choice.function is not None:
            return getattr(choice.function, "__name__", "score")
        if choice.index is None:
            return "top prediction"
        versus = "" if choice.against is None else CONTRAST + self.model.label(choice.against)
        return self.model.label(choice.index) + versus


def _choice(model: Model, given: TargetLike) -> Choice:
    if given is None or isinstance(given, Choice):
        return given or Choice()
    if callable(given):
        return Choice(function=given)
    if isinstance(given, str) and CONTRAST in given:
        first, second = (find_class(model, side) for side in given.split(CONTRAST, 1))
        if first == second:
            raise TargetError(
                f"Both sides of {given!r} are class {first} ({model.label(first)}); a contrast"
                " needs two different classes."
            )
        return Choice(first, against=second)
    return Choice(find_class(model, given))


def find_class(model: Model, given: int | str) -> int:
    """The index of a class from an index, a label, or an unambiguous part of a label.

    Raises:
        TargetError: there is no such class, or several fit.
    """
    if isinstance(given, bool) or not isinstance(given, (int, str)):
        raise TargetError(
            f"A target is a class index, a label, None or a callable; {given!r} was given."
        )
    if isinstance(given, int) or given.strip().lstrip("-").isdigit():
        if not 0 <= int(given) < model.classes:
            raise TargetError(
                f"The network has {model.classes} classes, 0 to {model.classes - 1}; {given} was"
                " given."
            )
        return int(given)
    if not given.strip():
        raise TargetError(
            "A target's label is empty; give a class index or a label, and a class on each side of"
            " ' vs '."
        )
    if model.labels is None:
        raise TargetError(
            f"The network has no labels, so {given!r} cannot be looked up; give a class index from"
            f" 0 to {model.classes - 1}."
        )
    wanted = given.strip().lower()
    for fits in (
        [index for index, label in enumerate(model.labels) if label.lower() == wanted],
        [
            index
            for index, label in enumerate(model.labels)
            if label.split(",")[0].strip().lower() == wanted
        ],
        [
            index
            for index, label in enumerate(model.labels)
            if wanted in [word.strip().lower() for word in label.split(",")]
        ],
        [index for index, label in enumerate(model.labels) if wanted in label.lower()],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            shown = ", ".join(f"{index} ({model.labels[index]})" for index in fits[:8]) + (
                " ..." if len(fits) > 8 else ""
            )
            alike = len({model.labels[index] for index in fits}) < len(fits)
            raise TargetError(
                f"{given!r} fits {len(fits)} classes: {shown}; give the"
                f" index{'' if alike else ' or the whole label'}."
            )
    raise TargetError(
        f"The network has no class {given!r};"
        f" {suggest(given, [label.split(',')[0] for label in model.labels])}"
    )
