from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(photo=True)
def squared_distance(forward: ForwardPass, *, layer: str) -> Tensor:
    """Minus the squared distance to a photo's own maps at a layer, as a sum (CS231n).

    `match` is the same divided by the photo's own size, so that its rate does not depend on the
    layer; `difference` is its mean.

    Args:
        layer: the layer's name.

    Example:
        convscope.invert(model, "cat.jpg", layer="blocks.3", preset="cs231n")
    """
    difference = forward.maps[layer].flatten(1) - forward.reference[layer].flatten(1)
    return -difference.pow(2).sum(1)
