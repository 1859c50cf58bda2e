"""Each image scored by its own objective."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from convscope.synthesis import objectives
from convscope.synthesis.objective import Objective, ParameterValue
from convscope.synthesis.objectives import ForwardPass

PER_IMAGE = ("column", "index", "row", "target")
"""Parameters that may differ from image to image within one call."""


TermGroup: TypeAlias = tuple[str, tuple[tuple[str, ParameterValue], ...], Objective | None, int]
"""What terms must have in common to be computed in one call: the kind, the parameters that are the
same for all images, the objective (where the batch is compared within one), and which of its terms
of that kind it is."""


def evaluate(image_objectives: Sequence[Objective], forward: ForwardPass) -> Tensor:
    """The score of each image (n) by its own objective. Terms that differ only in their units are
    computed in one call."""
    groups: dict[TermGroup, list[tuple[int, float, dict[str, ParameterValue]]]] = defaultdict(list)
    for place, objective in enumerate(image_objectives):
        for position, term in enumerate(objective.terms):
            shared = tuple(
                (name, value)
                for name, value in term.parameters
                if name not in PER_IMAGE or value is None
            )
            alone = objective if objectives.registry.traits(term.kind).batch == "same" else None
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
    total = torch.zeros(len(image_objectives), device=forward.image.device)
    for (kind, shared, _, _), members in groups.items():
        places = [place for place, _, _ in members]
        per_image = {
            name: torch.tensor([values[name] for _, _, values in members], device=total.device)
            for name in members[0][2]
        }
        scores = objectives.registry.get(kind)(forward.part(places), **dict(shared), **per_image)
        weights = torch.tensor([weight for _, weight, _ in members], device=total.device)
        total = total.index_add(
            0, torch.tensor(places, device=total.device), scores.float() * weights
        )
    return total
