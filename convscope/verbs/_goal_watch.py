"""Watches images while they are changed, until a network says what is wanted of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from convscope.probe import Probe
from convscope.questions.goal import Goal
from convscope.synthesis.eight_bit import EightBit, rounded


class GoalWatch:
    """Keeps each image at the first step at which the network says what is wanted; True once all
    have done so.

    The optimization runs on a faster copy. Where that says so, the network itself is asked: by a
    hair it may not yet. `fooled_at` (n) is that step, -1 before.
    """

    def __init__(self, probe: Probe, image: EightBit, goals: Sequence[Goal]) -> None:
        self.probe, self.image, self.goals = probe, image, goals
        self.kept = image().detach().clone()
        self.fooled_at = [-1] * len(goals)
        self.steps = 0

    def __call__(self, image: Tensor, output: object) -> bool:
        model = self.probe.model
        places = [
            place
            for place, goal in enumerate(self.goals)
            if self.fooled_at[place] < 0 and goal.is_reached(model, output, place)
        ]
        if places:
            candidates = self.image.evaluated
            answer = self.probe.output(model.preprocess(candidates))
            for place in places:
                if self.goals[place].is_reached(model, answer, place):
                    self.fooled_at[place] = self.steps
                    self.kept[place] = candidates[place]
        self.steps += 1
        return min(self.fooled_at) >= 0

    def shrink(self, original: Tensor, bisections: int) -> None:
        """Make the changes smaller: the images move back towards the photos for as long as they
        fool, halving the distance in question each time."""
        may_shrink = [step > 0 for step in self.fooled_at]
        model, change = self.probe.model, self.kept - original
        fails = torch.zeros(len(original), 1, 1, 1, device=original.device)
        fools = torch.ones_like(fails)
        for _ in range(bisections if any(may_shrink) else 0):
            share = (fails + fools) / 2
            candidates = rounded(original + share * change)
            output = self.probe.output(model.preprocess(candidates))
            says_so = [
                shrinks and goal.is_reached(model, output, place)
                for place, (shrinks, goal) in enumerate(zip(may_shrink, self.goals, strict=True))
            ]
            confirmed = torch.tensor(says_so, device=original.device).view(-1, 1, 1, 1)
            self.kept = torch.where(confirmed, candidates, self.kept)
            fools = torch.where(confirmed, share, fools)
            fails = torch.where(confirmed, fails, share)

    def images(self) -> Tensor:
        """The fooling images, and the last ones where the network was not fooled."""
        fooled = torch.tensor(self.fooled_at, device=self.kept.device) >= 0
        return torch.where(fooled[:, None, None, None], self.kept, self.image.shown)
