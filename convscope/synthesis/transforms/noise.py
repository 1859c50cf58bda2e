from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import NonNegativeFloat
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import register


@register()
def noise(
    images: Tensor,
    streams: RandomStreams,
    *,
    uniform: NonNegativeFloat = 0.0,
    normal: NonNegativeFloat = 0.0,
) -> Tensor:
    """A little noise on every pixel, so that the picture does not rest on exact values (Fel et al.,
    2023: 0.08).

    Args:
        uniform: half the width of uniform noise.
        normal: standard deviation of normal noise.
    """
    if normal:
        images = images + normal * streams.normal(*images.shape[1:])
    if uniform:
        images = images + streams.uniform(*images.shape[1:], low=-uniform, high=uniform)
    return images
