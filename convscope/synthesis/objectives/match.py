from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(photo=True)
def match(forward: ForwardPass, *, layer: str) -> Tensor:
    """Minus the relative squared distance to a photo's own maps at a layer (Mahendran & Vedaldi,
    2015).

    -||f(x) - f(photo)||^2 / ||f(photo)||^2: 0 is a perfect match, -1 what an all-zero activation
    has.

    Args:
        layer: the layer's name.

    Example:
        convscope.invert(model, "cat.jpg", layer="blocks.3")
    """
    wanted = forward.reference[layer].flatten(1)
    return -(
        (forward.maps[layer].flatten(1) - wanted).pow(2).sum(1)
        / wanted.pow(2).sum(1).clamp_min(1e-12)
    )
