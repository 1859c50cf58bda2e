from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from convscope.core.ranges import NonNegativeFloat, PositiveInt
from convscope.synthesis.color_space import from_image, matrix, to_image
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams

SMALLEST = 4
"""The pyramid ends where the shorter side would become less than this."""

FINEST = 0.25
"""Weight of the full size, with which Adam's step of 0.05 is a good one, as it is for the Fourier
basis."""


@register(noise="sd")
def laplacian(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    levels: PositiveInt | None = None,
    sd: NonNegativeFloat = 0.1,
    decay: float = 0.5,
    decorrelate: bool = True,
    start: Tensor | None = None,
) -> nn.Module:
    """A sum of images, each half as large as the one before: a step in a small one moves a large
    area (Burt & Adelson, 1983).

    What the Fourier basis does by frequency, the pyramid does by place and size; it has no waves
    that run round the borders.

    Args:
        levels: how many sizes; by default down to 4 pixels.
        sd: standard deviation of each size's values at the start.
        decay: power of the size by which a size's steps are weighted; 0 treats them alike.
        decorrelate: use colors that are independent in natural images.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="laplacian")
    """
    _, channels, height, width = shape
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * SMALLEST and len(sizes) != levels:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    weights = [FINEST * 2.0 ** (decay * level) for level in range(len(sizes))]
    colors = matrix(channels, decorrelate).to(streams.device)
    if start is None:
        parts = [sd * streams.normal(channels, *size) for size in sizes]
    else:
        parts = [
            part / weight
            for part, weight in zip(
                _pyramid(from_image(start, colors), sizes), weights, strict=True
            )
        ]
    return _Laplacian(parts, weights, colors)


class _Laplacian(nn.Module):
    colors: Tensor

    def __init__(self, parts: list[Tensor], weights: list[float], colors: Tensor) -> None:
        super().__init__()
        self.parts = nn.ParameterList(parts)
        self.weights = weights
        self.register_buffer("colors", colors)

    def forward(self) -> Tensor:
        whole = self.parts[-1] * self.weights[-1]
        for part, weight in zip(
            reversed(self.parts[:-1]), reversed(self.weights[:-1]), strict=True
        ):
            whole = larger(whole, part.shape[-2:]) + part * weight
        return to_image(whole, self.colors)


def larger(values: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear enlargement to a size."""
    return interpolate(values, tuple(size), mode="bilinear", align_corners=False)


def _pyramid(values: Tensor, sizes: list[tuple[int, int]]) -> list[Tensor]:
    """What each size adds to the enlarged smaller ones, so that the sum is `values`."""
    smaller = [values]
    for size in sizes[1:]:
        smaller.append(interpolate(smaller[-1], size, mode="area"))
    return [here - larger(below, here.shape[-2:]) for here, below in pairwise(smaller)] + [
        smaller[-1]
    ]
