from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from convscope.core.ranges import Copies, Fraction, Side
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import register

WANDER = 0.15
"""Deviation of a shrinking crop's center, as a share of the image's side (Fel et al., 2023,
authors' code)."""

SPREAD, SMALLEST = 0.05, 0.05
"""Deviation of a shrinking crop's side, and the smallest one, as shares of the image's side (the
same)."""


@register()
def crop(
    images: Tensor,
    streams: RandomStreams,
    *,
    count: Copies = 1,
    low: Fraction = 1.0,
    high: Fraction = 1.0,
    shrink: bool = False,
    size: Side | None = None,
) -> Tensor:
    """Random square crops, several of each image in a row, resized back (Fel et al., 2023).

    Args:
        count: crops per image; an image's score is the mean over them.
        low: smallest side, as a share of the image's.
        high: largest side.
        shrink: whether the side goes from high to low in the course of the ascent, rather than
            being anything between.
        size: side of the result in pixels; the image's own by default.
    """
    if count == 1 and low == high == 1.0 and size is None:
        return images
    height, width = (size, size) if size else images.shape[-2:]
    if shrink:
        share = high + (low - high) * streams.progress + SPREAD * streams.normal(count)
        share = share.clamp(SMALLEST, 1.0)
        middle = 2 * WANDER * streams.normal(count, 2)
    else:
        share = streams.uniform(count, low=low, high=high)
        middle = streams.uniform(count, 2, low=-1, high=1) * (1 - share)[..., None]
    theta = torch.zeros(*share.shape, 2, 3, device=images.device)
    theta[..., 0, 0] = theta[..., 1, 1] = share
    theta[..., 2] = middle
    # One call for all crops of an image: they lie side by side in one tall grid.
    grid = affine_grid(
        theta.flatten(0, 1),
        [len(images) * count, images.shape[1], height, width],
        align_corners=False,
    )
    tall = grid.reshape(len(images), count * height, width, 2)
    crops = grid_sample(images, tall, padding_mode="reflection", align_corners=False)
    return crops.reshape(len(images), -1, count, height, width).transpose(1, 2).flatten(0, 1)
