"""The small pictures of units and concepts that pages and cards show."""

from __future__ import annotations

from collections.abc import Sequence

from convscope.networks.model import Model
from convscope.results.result import Result
from convscope.synthesis.objective import Objective
from convscope.verbs.visualize import visualize

PICTURE_SIDE = 144
PICTURE_STEPS = 96
"""By the score curves, more steps change little at this size."""


def small_pictures(model: Model, units: Sequence[str | Objective], seed: int) -> Result:
    """A feature visualization of each unit or sum of units, small and quick (`image`, n 3 h w in
    [0, 1])."""
    return visualize(
        model,
        list(units),
        preset="distill",
        size=PICTURE_SIDE,
        steps=PICTURE_STEPS,
        seed=seed,
    )
