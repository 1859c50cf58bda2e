from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import UnitInterval
from convscope.synthesis.regularizers import register


@register(scale=330.0)
def l2(image: Tensor, *, gray: UnitInterval = 0.5) -> Tensor:
    """The mean square distance from gray: nothing becomes glaring.

    Args:
        gray: the value that costs nothing.
    """
    return (image - gray).pow(2).flatten(1).mean(1)
