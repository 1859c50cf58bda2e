"""Gradients of images larger than what the network may see at once, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor
from torch.nn.functional import pad

from convscope.synthesis.random import RandomStreams

MARGIN = 32
"""Pixels that a tile shares with each neighbor, at most."""

ScoreAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]


def gradient_in_tiles(
    function: ScoreAndGradient, image: Tensor, tile: int | None, streams: RandomStreams
) -> tuple[Tensor, Tensor]:
    """The score (n) and gradient (n c h w) of an image that may be larger than `tile`.

    Tiles are cut anew at a random place each time, and the image closes on itself, so that no seam
    stays in one place. The score is the mean over the tiles, by their areas.

    Args:
        function: gives both for an image that the network can see at once.
    """
    height, width = image.shape[-2:]
    if tile is None or max(height, width) <= tile:
        return function(image)
    # A tile sees a margin of its neighbors, which is thrown away after: at its edge the network's
    # padding would show.
    margin = min(MARGIN, tile // 8, height, width)
    down, right = streams.integers(0, tile - 1, 2)[0].tolist()
    wrapped = pad(image.roll((down, right), (2, 3)), [margin] * 4, mode="circular")
    gradient = image.new_empty(image.shape)
    total = image.new_zeros(len(image))
    for rows in _pieces(height, tile - 2 * margin):
        for columns in _pieces(width, tile - 2 * margin):
            area = (rows.stop - rows.start) * (columns.stop - columns.start)
            wide = [slice(side.start, side.stop + 2 * margin) for side in (rows, columns)]
            score, wide_gradient = function(wrapped[..., wide[0], wide[1]].contiguous())
            gradient[..., rows, columns] = wide_gradient[
                ...,
                margin : wide_gradient.shape[-2] - margin,
                margin : wide_gradient.shape[-1] - margin,
            ]
            total += score * (area / (height * width))
    return total, gradient.roll((-down, -right), (2, 3))


def _pieces(length: int, largest: int) -> list[slice]:
    """A length in equal pieces of at most `largest`."""
    count = math.ceil(length / largest)
    edges = [round(place * length / count) for place in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]
