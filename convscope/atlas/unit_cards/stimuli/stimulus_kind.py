"""What a kind of stimulus is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]

Combination = Literal["max", "phases"]
"""How the responses to the images of one condition become one: the highest, or, for four phases of
a grating, the larger of their mean and the amplitude of their first harmonic."""


@dataclass(frozen=True)
class Stimuli:
    """Images to be shown: `draw(condition)` gives those of one condition (n 3 h w in [0, 1]).
    `background` (3 h w) is what they are drawn on; kinds whose stimuli have the same `name` share
    one measurement."""

    name: str
    conditions: int
    draw: Callable[[int], Tensor]
    background: Tensor
    combination: Combination = "max"


@dataclass(frozen=True)
class Tuning:
    """A unit's tuning curve: its points, the preferred value (one number; row and column for a
    position; nothing where the unit does not respond), and that value in words."""

    curve: Floats
    preferred: tuple[float, ...]
    text: str


@dataclass(frozen=True)
class StimulusKind:
    """The stimuli, the names of a curve's points, what they are measured in, and how responses (one
    for each condition, zero or more) become a tuning curve."""

    stimuli: Stimuli
    points: tuple[str, ...]
    scale: str
    tune: Callable[[Floats], Tuning]


def selectivity(curve: Floats) -> float:
    """Lifetime sparseness (Vinje and Gallant, 2000): 0 where a unit responds alike to all, 1 where
    it responds to one only. `curve` holds responses, zero or more."""
    count, power = len(curve), float((curve**2).mean())
    if power <= 0 or count < 2:
        return 0.0
    return float(np.clip((1 - curve.mean() ** 2 / power) / (1 - 1 / count), 0.0, 1.0))
