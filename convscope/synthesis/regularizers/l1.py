from __future__ import annotations

from torch import Tensor

from convscope.synthesis.regularizers import register


@register()
def l1(image: Tensor, *, grey: float = 0.5) -> Tensor:
    """The mean distance from grey: what need not be coloured stays grey.

    Args:
        grey: the value that costs nothing.
    """
    return (image - grey).abs().flatten(1).mean(1)
