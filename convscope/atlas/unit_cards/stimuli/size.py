from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from convscope.atlas.unit_cards.stimuli import register
from convscope.atlas.unit_cards.stimuli.canvas import disk, paint, plain
from convscope.atlas.unit_cards.stimuli.peaks import peak
from convscope.atlas.unit_cards.stimuli.stimulus_kind import (
    Floats,
    Stimuli,
    StimulusKind,
    Tuning,
)

SMALLEST = 3.0
"""Diameter of the smallest disk in pixels; each next one is a quarter of an octave larger."""

STEPS_PER_OCTAVE = 4


@register()
def size(size: tuple[int, int]) -> StimulusKind:
    """How large a disk must be, white or black on gray; its diameter in pixels of the network's
    input."""
    steps = int(STEPS_PER_OCTAVE * np.log2(min(size) / SMALLEST)) + 1
    diameters = [SMALLEST * 2 ** (step / STEPS_PER_OCTAVE) for step in range(steps)]
    background = plain(size)

    def draw(condition: int) -> Tensor:
        mask = disk(size, diameters[condition])
        return torch.stack([paint(background, mask, (shade,) * 3) for shade in (0.0, 1.0)])

    def tune(responses: Floats) -> Tuning:
        if responses.max() <= 0:
            return Tuning(responses, (), "none")
        diameter = float(2 ** peak(np.log2(diameters), responses))
        return Tuning(responses, (diameter,), f"{diameter:.3g} px across")

    points = tuple(f"{diameter:.3g} px" for diameter in diameters)
    stimuli = Stimuli("disks", len(diameters), draw, background)
    return StimulusKind(stimuli, points, "diameter of a disk", tune)
