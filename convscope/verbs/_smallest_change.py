"""Watches images that are changed as little as possible."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from convscope.probe import Probe
from convscope.questions.goal import Goal
from convscope.synthesis.eight_bit import EightBit
from convscope.synthesis.norm_bound import NormBound
from convscope.verbs._goal_watch import GoalWatch


class SmallestChange(GoalWatch):
    """Keeps of each image the one nearest to its photo (n c h w in [0, 1]) at which the network
    says what is wanted, and lets `bound` follow; never ends before all steps are made, unless all
    photos need no change.

    `fooled_at` (n) is the step of the kept image, -1 before.
    """

    def __init__(
        self,
        probe: Probe,
        image: EightBit,
        goals: Sequence[Goal],
        original: Tensor,
        bound: NormBound,
    ) -> None:
        super().__init__(probe, image, goals)
        self.original, self.bound = original, bound
        self.norm = torch.full((len(original),), torch.inf)

    def __call__(self, image: Tensor, output: object) -> bool:
        model, evaluated = self.probe.model, self.image.evaluated
        reached = [goal.is_reached(model, output, place) for place, goal in enumerate(self.goals)]
        norm = (evaluated - self.original).flatten(1).norm(dim=1).cpu()
        is_nearer = norm < self.norm
        for place in self.confirmed(
            [place for place, says_so in enumerate(reached) if says_so and is_nearer[place]]
        ):
            self.fooled_at[place] = self.steps
            self.kept[place], self.norm[place] = evaluated[place], norm[place]
        self.bound.update(torch.tensor(reached, device=evaluated.device))
        self.steps += 1
        return not bool(self.norm.any())
