from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register()
def half_sum_of_squares(forward: ForwardPass, *, layer: str) -> Tensor:
    """Half the sum of squares of a whole layer, as DeepDream was published (Mordvintsev et al.,
    2015).

    Its gradient at the layer is the layer itself. `layer` is half the mean, which does not grow
    with the image.

    Args:
        layer: the layer's name.

    Example:
        convscope.dream(model, "sky.jpg", layer="blocks.4", preset="cs231n")
    """
    return forward.maps[layer].flatten(1).pow(2).sum(1) / 2
