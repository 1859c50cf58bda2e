from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import PositiveFloat
from convscope.synthesis.regularizers import register

EDGE = 1e-6
"""Keeps the root's slope finite where neighbors are equal."""


@register(scale=200.0)
def total_variation(image: Tensor, *, power: PositiveFloat = 1.0) -> Tensor:
    """The mean over places of (dx^2 + dy^2)^(power / 2): fewer edges (Mahendran & Vedaldi, 2015:
    power 2).

    Args:
        power: 1 allows sharp edges, 2 makes everything smooth.
    """
    down = (image[..., 1:, :-1] - image[..., :-1, :-1]).pow(2)
    right = (image[..., :-1, 1:] - image[..., :-1, :-1]).pow(2)
    square = down + right
    return (square if power == 2 else (square + EDGE) ** (power / 2)).flatten(1).mean(1)
