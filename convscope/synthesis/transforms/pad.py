from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from convscope.core.ranges import Shift, UnitInterval
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import register


@register()
def pad(
    images: Tensor, streams: RandomStreams, *, pixels: Shift = 12, fill: UnitInterval | None = 0.5
) -> Tensor:
    """A border around the image, so that moving it does not cut it (Olah et al., 2017: 16; Lucid:
    12).

    Args:
        pixels: width of the border.
        fill: its gray value in [0, 1]; None mirrors the image.
    """
    if fill is not None:
        return functional.pad(images, [pixels] * 4, value=fill)
    for axis in (-2, -1):
        side = images.shape[axis]
        place = torch.arange(-pixels, side + pixels, device=images.device) % (2 * side)
        images = images.index_select(axis, torch.where(place < side, place, 2 * side - 1 - place))
    return images
