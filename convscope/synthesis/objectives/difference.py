from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(photo=True)
def difference(forward: ForwardPass, *, layer: str) -> Tensor:
    """Minus the mean square distance to the reference photo at a layer, in its own units: stay
    close to the photo.

    Unlike `match` it is not divided by the photo's own size, so that it weighs like the activations
    do; with a negative weight it drives the image away from the photo.

    Args:
        layer: the layer at which distance is measured.

    Example:
        difference = objective("difference", layer="blocks.1")
        convscope.visualize(model, channel("blocks.3", 11) + 0.1 * difference, photo="cat.jpg")
    """
    return -(forward.maps[layer] - forward.reference[layer]).flatten(1).pow(2).mean(1)
