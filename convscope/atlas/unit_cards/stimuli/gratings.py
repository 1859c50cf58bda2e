"""Sinusoidal gratings of many orientations and spatial frequencies, in four phases."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from convscope.atlas.unit_cards.stimuli.canvas import GRAY, coordinates, plain, window
from convscope.atlas.unit_cards.stimuli.stimulus_kind import Floats, Stimuli

ORIENTATIONS = tuple(15.0 * step for step in range(12))
"""Of the bars, in degrees counterclockwise from horizontal."""

FREQUENCIES = tuple(2.0 ** (step / 2) for step in range(-12, -2))
"""Cycles per pixel, half an octave apart: periods from 64 to 2.8 pixels."""

PHASES = 4
"""A quarter of a period apart, so that a unit answers wherever its places lie."""

LEAST_CYCLES = 2.0
"""In an image; a slower grating is hardly one."""


def frequencies(size: tuple[int, int]) -> tuple[float, ...]:
    """Those that an image of that size can show, in cycles per pixel."""
    return tuple(value for value in FREQUENCIES if value * min(size) >= LEAST_CYCLES)


def gratings(size: tuple[int, int]) -> Stimuli:
    """All orientations, each with all frequencies, in full contrast around gray."""
    speeds = frequencies(size)
    fade = window(size)

    def draw(condition: int) -> Tensor:
        orientation, speed = divmod(condition, len(speeds))
        return grating(size, ORIENTATIONS[orientation], speeds[speed], fade)

    count = len(ORIENTATIONS) * len(speeds)
    return Stimuli("gratings", count, draw, plain(size), "phases")


def grating(size: tuple[int, int], orientation: float, frequency: float, fade: Tensor) -> Tensor:
    """One grating in its phases (4 3 h w); `fade` (h w) is its contrast at each place."""
    angle = math.radians(orientation)
    down, across = coordinates(size)
    # The bars run along (cos, -sin) in (right, down); the wave across them.
    along = across * math.sin(angle) + down * math.cos(angle)
    phases = torch.arange(PHASES)[:, None, None] * (2 * math.pi / PHASES)
    wave = torch.cos(2 * math.pi * frequency * along + phases) * fade
    return (GRAY + GRAY * wave)[:, None].expand(-1, 3, -1, -1)


def grid(responses: Floats) -> Floats:
    """Responses by orientation and frequency."""
    return responses.reshape(len(ORIENTATIONS), -1)


def best_condition(responses: Floats) -> tuple[int, int]:
    """The places of the orientation and of the frequency of the strongest response."""
    orientation, speed = np.unravel_index(int(np.argmax(responses)), grid(responses).shape)
    return int(orientation), int(speed)
