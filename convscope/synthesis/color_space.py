"""Color in which the channels of natural images are independent."""

from __future__ import annotations

import torch
from torch import Tensor

CORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the covariance of ImageNet's RGB pixels, to two digits, as published with Lucid
(Google, 2018, Apache-2.0)."""

EDGE = 1e-4
"""How far from 0 and 1 a photo is kept before it goes through the inverse sigmoid."""

TINY = 1e-12
"""The least mean square: the root of 0 has no gradient."""


def matrix(channels: int, decorrelate: bool) -> Tensor:
    """Independent values -> channels before the sigmoid; the identity for other than three
    channels."""
    if not decorrelate or channels < 3:
        return torch.eye(channels)
    color = torch.tensor(CORRELATION)
    whole = torch.eye(channels)
    if channels <= 4:
        whole[:3, :3] = color / color.norm(dim=0).max()
    return whole


def to_image(values: Tensor, colors: Tensor, max_rms: Tensor | None = None) -> Tensor:
    """Independent values (n c h w) to images in (0, 1); where their root mean square before the
    sigmoid is above `max_rms` (n 1 1 1), they are scaled down to it."""
    logits = (colors @ values.flatten(2)).view_as(values)
    if max_rms is not None:
        logits = logits * (max_rms / torch.maximum(rms_of(logits), max_rms))
    return logits.sigmoid()


def rms_of(values: Tensor) -> Tensor:
    """The root mean square of each image (n c h w -> n 1 1 1)."""
    return values.square().mean((1, 2, 3), keepdim=True).clamp_min(TINY).sqrt()


def from_image(image: Tensor, colors: Tensor) -> Tensor:
    """The inverse of `to_image`."""
    inside = image.clamp(EDGE, 1 - EDGE).logit()
    return torch.einsum("nchw,dc->ndhw", inside, torch.linalg.inv(colors))
