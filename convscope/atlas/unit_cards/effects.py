"""What silencing a unit does to the classes: measured directly, by running on what follows its
layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.errors import ModelError
from convscope.networks.concept_file import names_concept, read_layer
from convscope.networks.concept_layer import is_concept_layer, without_concepts
from convscope.networks.model import Model
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


def is_classifier(model: Model) -> bool:
    """Whether a network gives class scores. One that returns what nobody can read as scores, a
    dictionary of features, say, does not."""
    try:
        return model.task == "classification" and model.classes > 0
    except ModelError:
        return False


def silence(
    probe: Probe, layer: str, photos: Iterable[tuple[Tensor, Sequence[int]]]
) -> dict[int, tuple[Tensor, int]]:
    """By how much each unit's silence changes the class scores: the mean over its photos (classes),
    and how many there are.

    `photos` are network inputs (1 c h w), each with the units to silence on it, one after the
    other. What comes before the layer runs once a photo. A unit's map is set to zero; of a saved
    concept, what the layer has along its direction is taken away, and what lies across stays.
    """
    of_concepts = is_concept_layer(layer)
    base = read_layer(layer).layer if of_concepts else layer
    totals: dict[int, Tensor] = {}
    counts: dict[int, int] = {}
    for image, units in photos:
        run = probe.partial_forward(image, base)
        original = probe.model.scores(run.output)
        for first in range(0, len(units), UNITS_AT_ONCE):
            chosen = list(units[first : first + UNITS_AT_ONCE])
            maps = (
                _without_concepts(run.maps, layer, chosen)
                if of_concepts
                else _without_units(run.maps, chosen)
            )
            changes = (run.scores(maps) - original).double().cpu()
            for unit, change in zip(chosen, changes, strict=True):
                totals[unit] = totals[unit] + change if unit in totals else change
                counts[unit] = counts.get(unit, 0) + 1
    return {unit: (total / counts[unit], counts[unit]) for unit, total in totals.items()}


def _without_units(maps: Tensor, units: Sequence[int]) -> Tensor:
    """A layer's maps (1 c h w) once for each unit, without it."""
    changed = maps.repeat(len(units), 1, 1, 1)
    changed[torch.arange(len(units)), torch.tensor(units)] = 0
    return changed


def _without_concepts(maps: Tensor, layer: str, concepts: Sequence[int]) -> Tensor:
    """The same for the concepts of a concept layer, whose directions need not be orthogonal: each
    is taken away alone."""
    names = (layer if names_concept(layer) else f"{layer}/{index}" for index in concepts)
    return torch.cat([without_concepts(maps, name) for name in names])


def strongest_changes(change: Tensor, labels: Sequence[str], photos: int) -> Effects:
    """The classes that a change of the scores (classes) concerns most."""
    order = change.argsort(stable=True).tolist()
    raised = [index for index in order if change[index] < 0][:CLASSES]
    lowered = [index for index in reversed(order) if change[index] > 0][:CLASSES]

    def rows(indices: list[int]) -> tuple[ClassChange, ...]:
        return tuple(ClassChange(i, labels[i], float(change[i])) for i in indices)

    return Effects(rows(raised), rows(lowered), photos)
