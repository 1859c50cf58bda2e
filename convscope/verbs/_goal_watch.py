"""Watches images while they are changed, until a network says what is wanted of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from convscope.probe import Probe
from convscope.questions.goal import Goal
from convscope.synthesis.eight_bit import EightBit


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
        for place in self.confirmed(places):
            self.fooled_at[place] = self.steps
            self.kept[place] = self.image.evaluated[place]
        self.steps += 1
        return min(self.fooled_at) >= 0

    def confirmed(self, places: Sequence[int]) -> list[int]:
        """Those of the images at which the network itself says what is wanted."""
        if not places:
            return []
        model = self.probe.model
        answer = self.probe.output(model.preprocess(self.image.evaluated))
        return [place for place in places if self.goals[place].is_reached(model, answer, place)]

    def images(self) -> Tensor:
        """The fooling images, and the last ones where the network was not fooled."""
        fooled = torch.tensor(self.fooled_at, device=self.kept.device) >= 0
        return torch.where(fooled[:, None, None, None], self.kept, self.image.shown)
