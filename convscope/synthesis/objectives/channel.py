from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register()
def channel(forward: ForwardPass, *, layer: str, index: int) -> Tensor:
    """The mean of one channel's map: the pattern that a unit looks for everywhere (Olah et al.,
    2017).

    Args:
        layer: the layer's name.
        index: the channel.

    Example:
        convscope.visualize(model, "blocks.3:11")
    """
    return forward.maps.unit(layer, index).mean((1, 2))
