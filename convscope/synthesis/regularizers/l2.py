from __future__ import annotations

from torch import Tensor

from convscope.synthesis.regularizers import register


@register(network_units=True)
def l2(image: Tensor) -> Tensor:
    """The sum of squares of the network's input: keeps pixels near the training data's mean
    (Simonyan et al., 2013)."""
    return image.flatten(1).pow(2).sum(1)
