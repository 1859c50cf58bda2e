from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register()
def layer(forward: ForwardPass, *, layer: str) -> Tensor:
    """Half the mean square of a whole layer: whatever it sees, more of it (DeepDream, Mordvintsev
    et al., 2015).

    DeepDream's is half the sum; its gradient, the layer itself, has the same direction, and the
    mean does not grow with the image.

    Args:
        layer: the layer's name.

    Example:
        convscope.visualize(model, "blocks.4")
    """
    return forward.maps[layer].flatten(1).pow(2).mean(1) / 2
