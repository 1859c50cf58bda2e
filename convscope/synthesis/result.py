"""What an optimization gives back, and why it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import torch
from torch import Tensor

from convscope.errors import DeadUnitError
from convscope.synthesis.objective import Objective


class StopReason(Enum):
    """Why an optimization ended."""

    COMPLETED = "completed"
    """All steps were made."""
    CONVERGED = "converged"
    """No score had risen for as many steps as the caller's patience."""
    CONDITION_MET = "condition met"
    """The caller's own condition held, such as a network that is fooled."""
    INTERRUPTED = "interrupted"
    """Somebody pressed Ctrl-C."""


@dataclass
class OptimizationResult:
    """The images (n c h w in [0, 1]) and what was measured on the way.

    `score` is n steps, each before that step; `snapshots` holds images by step, and `transparency`
    (n h w) the accumulated size of the gradient at each pixel. `is_dead` says of which objectives
    no gradient reached the image; such an image is plain gray.
    """

    objectives: Sequence[Objective]
    image: Tensor
    score: Tensor
    transparency: Tensor
    planned_steps: int
    stop_reason: StopReason = StopReason.COMPLETED
    snapshots: dict[int, Tensor] = field(default_factory=dict)
    is_dead: list[bool] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self.score.shape[1]

    @property
    def dead(self) -> list[int]:
        """The places of the images whose unit no gradient reaches."""
        return [place for place, is_dead in enumerate(self.is_dead) if is_dead]

    @property
    def early_stop(self) -> str | None:
        """Why it ended before its last step, in a few words; None where it did not."""
        return {
            StopReason.COMPLETED: None,
            StopReason.CONVERGED: f"no rise any more, stopped after {self.steps} steps",
            StopReason.CONDITION_MET: f"done after {self.steps} steps",
            StopReason.INTERRUPTED: f"interrupted after {self.steps} of {self.planned_steps} steps",
        }[self.stop_reason]

    def require_gradient(self) -> OptimizationResult:
        """The same; refused where no gradient reached any of the images.

        Raises:
            DeadUnitError: every unit is dead.
        """
        if self.is_dead and all(self.is_dead):
            names = ", ".join(objective.title for objective in self.objectives[:5])
            raise DeadUnitError(
                f"{names}: no gradient reaches the image; a dead unit has no picture."
            )
        return self


def joined(results: Sequence[OptimizationResult]) -> OptimizationResult:
    """The images of several batches as one result, with as many scores as the shortest made."""
    steps = min(result.steps for result in results)
    kept = sorted(set.intersection(*(set(result.snapshots) for result in results)))
    early = [result.stop_reason for result in results if result.early_stop is not None]
    reason = StopReason.INTERRUPTED if StopReason.INTERRUPTED in early else None
    return OptimizationResult(
        [objective for result in results for objective in result.objectives],
        torch.cat([result.image for result in results]),
        torch.cat([result.score[:, :steps] for result in results]),
        torch.cat([result.transparency for result in results]),
        results[0].planned_steps,
        reason or (early[0] if early else StopReason.COMPLETED),
        {step: torch.cat([result.snapshots[step] for result in results]) for step in kept},
        [is_dead for result in results for is_dead in result.is_dead],
    )
