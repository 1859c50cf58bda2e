from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from convscope.core.ranges import Copies
from convscope.synthesis.color_space import from_image, matrix, to_image
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams

REACH = math.sqrt(3)
"""Coordinates run from -REACH to REACH, which gives them a variance of 1 (Mordvintsev et al.,
2018)."""

ODD, EVEN = 0.67, 0.6
"""Deviations of arctan and arctan^2 of a normal variable, by which both are divided (Mordvintsev et
al., 2018)."""

LAST = 0.02
"""Deviation of the last layer's weights: 0 in the publication; a little more lets a gradient into
the layers before from the first step."""


@register(rate=0.002)
def cppn(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    hidden: Copies = 24,
    depth: Copies = 8,
    start: Tensor | None = None,
) -> nn.Module:
    """A small network that paints: from a pixel's coordinates to its color (Mordvintsev et al.,
    2018; Stanley, 2007).

    The picture is made of smooth lines and areas, and `render(height, width)` paints it at any
    other size. Each image has a network of its own. Unless another is given the rate is 0.002
    (published: 0.005).

    Args:
        hidden: units in each of its layers.
        depth: how many layers.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="cppn")
    """
    _, channels, height, width = shape
    sizes = [2, *[2 * hidden] * (depth - 1)]
    weights = [streams.normal(hidden, inside) / math.sqrt(inside) for inside in sizes]
    weights.append(LAST * streams.normal(channels, 2 * hidden) / math.sqrt(2 * hidden))
    colors = matrix(channels, False).to(streams.device)
    return _Cppn(
        weights, colors, (height, width), None if start is None else from_image(start, colors)
    )


class _Cppn(nn.Module):
    colors: Tensor
    below: Tensor | None

    def __init__(
        self, weights: list[Tensor], colors: Tensor, size: tuple[int, int], below: Tensor | None
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(
            [weight.new_zeros(*weight.shape[:2], 1) for weight in weights]
        )
        self.register_buffer("colors", colors)
        self.register_buffer("below", below)
        self.size = size

    def forward(self) -> Tensor:
        return self.render(*self.size)

    def render(self, height: int, width: int) -> Tensor:
        """The same picture at another size."""
        scale = REACH / max(height, width)
        like = self.weights[0]
        rows, columns = (
            torch.arange(1 - size, size, 2, device=like.device, dtype=like.dtype) * scale
            for size in (height, width)
        )
        values = (
            torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
            .flatten(1)
            .expand(len(like), -1, -1)
        )
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.baddbmm(bias, weight, values)
            if place < len(self.weights) - 1:
                bent = values.atan()
                values = torch.cat([bent / ODD, bent.square() / EVEN], dim=1)
        painted = values.reshape(*values.shape[:2], height, width)
        if self.below is not None:
            painted = painted + torch.nn.functional.interpolate(
                self.below, (height, width), mode="bilinear", align_corners=False
            )
        return to_image(painted, self.colors)
