"""Objectives: functions from what was seen of a batch to one score per image, bigger is better.

An objective is a function `(forward, *, parameters) -> Tensor` (n) in a file of its own name.
Parameters are plain data, so that an objective can be hashed and written down; `index`, `row`,
`column` and `target` may also come as tensors with an entry per image, so that a batch of 64 units
is one call. `ObjectiveTraits` are what else is known of an objective.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from convscope.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from convscope.networks.model import Model
    from convscope.questions.target import Target


@dataclass(frozen=True)
class ObjectiveTraits:
    """What is known of an objective before it runs.

    `output`: the network must run to its end. `batch`: the images are compared with each other,
    "same" with those of the same objective only, "all" with all. `photo`: it compares with a photo.
    """

    output: bool = False
    batch: Literal["same", "all"] | None = None
    photo: bool = False


registry = Registry(__name__, "objective", ObjectiveTraits)
register = registry.register


class Maps(dict[str, "Tensor"]):
    """Maps as the network gave them, which may be in half precision; asked for by name they are
    float32."""

    def __getitem__(self, name: str) -> Tensor:
        return super().__getitem__(name).float()

    def unit(self, name: str, index: int | Tensor) -> Tensor:
        """One channel's map of each image (n h w), or the one of `index` (n) for each. The rest is
        never converted."""
        return pick(super().__getitem__(name), index).float()


@dataclass
class ForwardPass:
    """What an objective may look at: the images (n c h w in [0, 1]), the maps of the layers it
    reads (n c h w), the network's raw output, the maps of a reference photo (1 c h w), and the
    questions that are asked of the output, by their text."""

    model: Model
    image: Tensor
    maps: Maps = field(default_factory=Maps)
    output: object = None
    reference: dict[str, Tensor] = field(default_factory=dict)
    questions: dict[str, Target] = field(default_factory=dict)
    whole: tuple[ForwardPass, Sequence[int]] | None = None

    def __post_init__(self) -> None:
        self.maps = Maps(self.maps)

    def scores(self) -> Tensor:
        """Class scores, n classes."""
        if self.whole is not None and self.output is None:
            whole, places = self.whole
            return whole.scores()[list(places)]
        return self.model.scores(self.output)

    def answers(self, question: str) -> Tensor:
        """The score of a question for each image (n)."""
        if self.whole is not None:
            whole, places = self.whole
            return whole.answers(question)[list(places)]
        if question not in self.questions:
            from convscope.questions.target import Target

            self.questions[question] = Target.of_any_image(self.model, question)
        return self.questions[question](self.output)

    def part(self, places: Sequence[int]) -> ForwardPass:
        """The same for some of the images."""
        if list(places) == list(range(len(self.image))):
            return self
        import torch

        index = torch.tensor(places, device=self.image.device)
        maps = {name: values.index_select(0, index) for name, values in self.maps.items()}
        # Only objectives that ask questions read more of the output than its scores.
        asks = bool(self.questions) or self.output is None
        output = None if asks else self.scores().index_select(0, index)
        reference = copy.copy(self.reference)
        reference.update(
            {
                name: values.index_select(0, index)
                for name, values in self.reference.items()
                if len(values) > 1
            }
        )
        return ForwardPass(
            self.model,
            self.image.index_select(0, index),
            Maps(maps),
            output,
            reference,
            whole=(self, places),
        )


def pick(values: Tensor, index: int | Tensor) -> Tensor:
    """For each image its own entry of the second axis: n c ... -> n ..."""
    import torch

    rows = torch.arange(len(values), device=values.device)
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        return values.permute(0, 2, 3, 1)[
            rows, :, :, index
        ]  # its gradient then has the same memory order
    return values[rows, index]
