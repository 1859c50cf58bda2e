from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from convscope.core.ranges import Sigma
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import register


@register()
def blur(images: Tensor, streams: RandomStreams, *, sigma: Sigma = 0.5) -> Tensor:
    """The image blurred by a normal curve, so that the finest detail counts less.

    Args:
        sigma: standard deviation in pixels.
    """
    return smooth(images, sigma)


def smooth(images: Tensor, sigma: float) -> Tensor:
    """Images (n c h w) blurred by a normal curve of `sigma` pixels, cut at four sigmas, with
    mirrored borders."""
    if sigma <= 0:
        return images
    radius = min(max(1, round(4 * sigma)), min(images.shape[-2:]) - 1)
    place = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    curve = torch.exp(-(place**2) / (2 * sigma**2))
    curve = (curve / curve.sum()).expand(images.shape[1], 1, 1, -1)
    wide = pad(images, [radius] * 4, mode="reflect")
    return conv2d(
        conv2d(wide, curve, groups=images.shape[1]), curve.transpose(2, 3), groups=images.shape[1]
    )
