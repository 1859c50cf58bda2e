"""What silencing a unit does to the classes: measured directly, by running on what follows its
layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.probe import Probe

UNITS_AT_ONCE = 16

CLASSES = 5
"""Of each list, the ones that change most."""


@dataclass(frozen=True)
class ClassChange:
    """A class, and by how much its score changes when the unit is silenced."""

    index: int
    label: str
    change: float


@dataclass(frozen=True)
class Effects:
    """The classes whose score falls most when the unit is silenced (it raises them) and rises most
    (it lowers them), averaged over so many photos."""

    raises: tuple[ClassChange, ...]
    lowers: tuple[ClassChange, ...]
    photos: int


def silence(
    probe: Probe, layer: str, photos: Iterable[tuple[Tensor, Sequence[int]]]
) -> dict[int, tuple[Tensor, int]]:
    """By how much each unit's silence changes the class scores: the mean over its photos (classes),
    and how many there are.

    `photos` are network inputs (1 c h w), each with the units to silence on it, one after the
    other. What comes before the layer runs once a photo.
    """
    totals: dict[int, Tensor] = {}
    counts: dict[int, int] = {}
    for image, units in photos:
        run = probe.partial_forward(image, layer)
        original = probe.model.scores(run.output)
        for first in range(0, len(units), UNITS_AT_ONCE):
            chosen = list(units[first : first + UNITS_AT_ONCE])
            maps = run.maps.repeat(len(chosen), 1, 1, 1)
            maps[torch.arange(len(chosen)), torch.tensor(chosen)] = 0
            changes = (run.scores(maps) - original).double().cpu()
            for unit, change in zip(chosen, changes, strict=True):
                totals[unit] = totals[unit] + change if unit in totals else change
                counts[unit] = counts.get(unit, 0) + 1
    return {unit: (total / counts[unit], counts[unit]) for unit, total in totals.items()}


def strongest_changes(change: Tensor, labels: Sequence[str], photos: int) -> Effects:
    """The classes that a change of the scores (classes) concerns most."""
    order = change.argsort(stable=True).tolist()
    raised = [index for index in order if change[index] < 0][:CLASSES]
    lowered = [index for index in reversed(order) if change[index] > 0][:CLASSES]

    def rows(indices: list[int]) -> tuple[ClassChange, ...]:
        return tuple(ClassChange(i, labels[i], float(change[i])) for i in indices)

    return Effects(rows(raised), rows(lowered), photos)
