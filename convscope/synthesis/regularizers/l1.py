from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import UnitInterval
from convscope.synthesis.regularizers import register


@register(scale=125.0)
def l1(image: Tensor, *, gray: UnitInterval = 0.5) -> Tensor:
    """The mean distance from gray: what need not be colored stays gray.

    Args:
        gray: the value that costs nothing.
    """
    return (image - gray).abs().flatten(1).mean(1)
