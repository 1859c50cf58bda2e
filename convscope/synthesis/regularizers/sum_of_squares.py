from __future__ import annotations

from torch import Tensor

from convscope.synthesis.regularizers import register


@register(network_units=True)
def sum_of_squares(image: Tensor) -> Tensor:
    """The sum of squares of the network's input, with the weight as it was published (Simonyan et
    al., 2013; CS231n: 1e-3 at 224 px, 1e-6 at 64 px and 0 to 255); what the option `l2` weighs."""
    return image.flatten(1).pow(2).sum(1)
