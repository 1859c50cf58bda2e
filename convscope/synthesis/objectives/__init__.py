"""Objectives: functions from what was seen of a batch to one score per image, bigger is better.

An objective is a function `(forward, *, parameters) -> Tensor` (n) in a file of its own name.
Parameters are plain data, so that an objective can be hashed and written down; `index`, `row`,
`column` and `target` may also come as tensors with an entry per image, so that a batch of 64 units
is one call. `ObjectiveTraits` are what else is known of an objective.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from convscope.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from convscope.networks.model import Model
    from convscope.synthesis.objective import Objective


@dataclass(frozen=True)
class ObjectiveTraits:
    """What is known of an objective before it runs.

    `output`: the network must run to its end. `batch`: the images are compared with each other,
    "same" with those of the same objective only, "all" with all.
    """

    output: bool = False
    batch: Literal["same", "all"] | None = None


registry = Registry(__name__, "objective", ObjectiveTraits)
register = registry.register

PER_IMAGE = ("column", "index", "row", "target")
"""Parameters that may differ from image to image within one call."""


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
    reads (n c h w), the network's raw output, and the maps of a reference photo (1 c h w)."""

    model: Model
    image: Tensor
    maps: Maps = field(default_factory=Maps)
    output: object = None
    reference: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.maps = Maps(self.maps)

    def scores(self) -> Tensor:
        """Class scores, n classes."""
        return self.model.scores(self.output)

    def part(self, places: Sequence[int]) -> ForwardPass:
        """The same for some of the images."""
        if list(places) == list(range(len(self.image))):
            return self
        import torch

        index = torch.tensor(places, device=self.image.device)
        maps = {name: found.index_select(0, index) for name, found in self.maps.items()}
        output = None if self.output is None else self.scores().index_select(0, index)
        reference = copy.copy(self.reference)
        reference.update(
            {
                name: found.index_select(0, index)
                for name, found in self.reference.items()
                if len(found) > 1
            }
        )
        return ForwardPass(
            self.model, self.image.index_select(0, index), Maps(maps), output, reference
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


def evaluate(objectives: Sequence[Objective], forward: ForwardPass) -> Tensor:
    """The score of each image (n) by its own objective. Terms that differ only in their units are
    computed in one call."""
    import torch

    groups: dict[Any, list[tuple[int, float, dict[str, Any]]]] = defaultdict(list)
    for place, objective in enumerate(objectives):
        for position, term in enumerate(objective.terms):
            shared = tuple(
                (name, value)
                for name, value in term.parameters
                if name not in PER_IMAGE or value is None
            )
            alone = objective if registry.traits(term.kind).batch == "same" else None
            key = (
                term.kind,
                shared,
                alone,
                sum(other.kind == term.kind for other in objective.terms[:position]),
            )
            groups[key].append(
                (
                    place,
                    term.weight,
                    {
                        name: value
                        for name, value in term.parameters
                        if name in PER_IMAGE and value is not None
                    },
                )
            )
    total = torch.zeros(len(objectives), device=forward.image.device)
    for (kind, shared, _, _), members in groups.items():
        places = [place for place, _, _ in members]
        per_image = {
            name: torch.tensor([each[name] for _, _, each in members], device=total.device)
            for name in members[0][2]
        }
        scores = registry.get(kind)(forward.part(places), **dict(shared), **per_image)
        weights = torch.tensor([weight for _, weight, _ in members], device=total.device)
        total = total.index_add(
            0, torch.tensor(places, device=total.device), scores.float() * weights
        )
    return total
