from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import NonNegativeInt, UnitInterval
from convscope.synthesis.regularizers import register


@register(scale=110.0)
def border(image: Tensor, *, width: NonNegativeInt = 8, gray: UnitInterval = 0.5) -> Tensor:
    """The mean square distance from gray in a border: the picture moves to the middle (Lucid,
    2018).

    Args:
        width: of the border in pixels.
        gray: the value that costs nothing.
    """
    height, across = image.shape[-2:]
    square = (image - gray).pow(2)
    inside = square[..., width : max(height - width, width), width : max(across - width, width)]
    places = max(square[0].numel() - inside[0].numel(), 1)
    return (square.flatten(1).sum(1) - inside.flatten(1).sum(1)) / places
