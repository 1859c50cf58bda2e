from __future__ import annotations

import torch
from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(batch="all")
def alignment(forward: ForwardPass, *, layer: str) -> Tensor:
    """How alike neighbors in a batch are at a layer, so that a series of images does not jump
    (Mordvintsev et al., 2018).

    Minus the mean square difference of an image's maps to those of the image before and after it.

    Args:
        layer: the layer at which they should be alike.

    Example:
        alignment = objective("alignment", layer="blocks.2")
        convscope.visualize(model, [a + alignment for a in interpolate(first, second, 5)])
    """
    maps = forward.maps[layer]
    if len(maps) < 2:
        return maps.flatten(1).sum(1) * 0
    step = (maps[1:] - maps[:-1]).flatten(1).pow(2).mean(1)
    none = step.new_zeros(1)
    return -(torch.cat([none, step]) + torch.cat([step, none])) / 2
