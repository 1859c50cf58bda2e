"""Parts of a photo taken away: an object, its background, or a region."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution.baselines import BLUR, blurred

MARGIN = 0.1
"""By this share of its sides the box around an object grows before it is filled."""

SURROUNDINGS = 0.12
"""Standard deviation, as a share of the shorter side, of the blur that a hole is filled with."""

FEATHER = 0.04
"""That of the soft edge of a hole: a sharp one would show the shape of what was there."""

NEGLIGIBLE = 1e-3


def fill(image: Tensor, hole: Tensor) -> Tensor:
    """An image (n c h w) whose `hole` (n 1 h w in [0, 1]) is filled with the blurred colors around
    it; where nothing is near, with the mean color outside."""
    side = min(image.shape[-2:])
    keep = 1 - hole
    weight = blurred(keep, SURROUNDINGS * side)
    total = keep.sum((2, 3), keepdim=True).clamp_min(NEGLIGIBLE)
    mean = (image * keep).sum((2, 3), keepdim=True) / total
    smooth = blurred(image * keep, SURROUNDINGS * side) + NEGLIGIBLE * mean
    return image * keep + hole * smooth / (weight + NEGLIGIBLE)


def without_object(image: Tensor, mask: Tensor) -> Tensor:
    """An image (1 c h w) without the object under `mask` (1 1 h w): the box around it is filled,
    so that not even its outline is left."""
    height, width = mask.shape[-2:]
    rows, columns = (mask[0, 0] > 0.5).nonzero().T
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(columns.min()), int(columns.max()) + 1
    vertical, horizontal = (max(1, round(MARGIN * size)) for size in (bottom - top, right - left))
    box = torch.zeros_like(mask)
    box[
        ...,
        max(0, top - vertical) : min(height, bottom + vertical),
        max(0, left - horizontal) : min(width, right + horizontal),
    ] = 1
    soft = blurred(box, max(FEATHER * min(height, width), 0.5))
    return fill(image, torch.maximum(soft, mask))


def without_background(image: Tensor, mask: Tensor) -> Tensor:
    """An image (1 c h w) whose background is blurred away; the object under `mask` stays."""
    smooth = blurred(image, BLUR * min(image.shape[-2:]))
    return image * mask + smooth * (1 - mask)
