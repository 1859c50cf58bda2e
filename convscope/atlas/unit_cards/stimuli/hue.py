from __future__ import annotations

import math

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

HUES = tuple(15.0 * step for step in range(24))
"""Angles in CIELAB's plane of a* and b*, in degrees."""

LIGHTNESS, CHROMA = 65.0, 36.0
"""CIELAB; the strongest chroma that sRGB has for every hue at that lightness, so that hues differ
in nothing else."""

DIAMETERS = (0.5, 0.15)
"""Of the disks that are shown, in shares of the shorter side."""

NAMES = {
    0: "pink",
    30: "red",
    60: "orange",
    90: "yellow",
    120: "lime",
    150: "green",
    180: "teal",
    210: "cyan",
    240: "sky blue",
    270: "blue",
    300: "violet",
    330: "magenta",
}


@register(needs_color=True)
def hue(size: tuple[int, int]) -> StimulusKind:
    """Which hue a disk must have that is as light as its background (CIELAB: lightness 65, chroma
    36); degrees from 0 to 360."""
    background = plain(size, lab_color(0.0, 0.0))

    def draw(condition: int) -> Tensor:
        color = hue_color(HUES[condition])
        masks = (disk(size, share * min(size)) for share in DIAMETERS)
        return torch.stack([paint(background, mask, color) for mask in masks])

    def tune(responses: Floats) -> Tuning:
        if responses.max() <= 0:
            return Tuning(responses, (), "none")
        angle = peak(np.array(HUES), responses, period=360.0)
        return Tuning(responses, (angle,), name_of(angle))

    stimuli = Stimuli("hues", len(HUES), draw, background)
    points = tuple(name_of(angle) for angle in HUES)
    return StimulusKind(stimuli, points, "hue", tune)


def name_of(angle: float) -> str:
    """The nearest hue that has a name."""
    return NAMES[30 * round(angle / 30) % 360]


def hue_color(angle: float) -> tuple[float, float, float]:
    """The sRGB color of a hue, each part in [0, 1]."""
    radians = math.radians(angle)
    return lab_color(CHROMA * math.cos(radians), CHROMA * math.sin(radians))


def lab_color(a: float, b: float) -> tuple[float, float, float]:
    """The sRGB color of CIELAB's a* and b* at the stimuli's lightness."""
    from skimage.color import lab2rgb

    red, green, blue = np.clip(lab2rgb([[[LIGHTNESS, a, b]]])[0, 0], 0, 1).tolist()
    return red, green, blue
