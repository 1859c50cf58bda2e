from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import PositiveFloat
from convscope.synthesis.regularizers import register
from convscope.synthesis.transforms.blur import smooth


@register(scale=1300.0)
def blur_penalty(image: Tensor, *, sigma: PositiveFloat = 1.0) -> Tensor:
    """The mean square difference to the image's own blurred self: less of the finest detail (Olah
    et al., 2017).

    Args:
        sigma: of the blur, in pixels.
    """
    return (image - smooth(image, sigma).detach()).pow(2).flatten(1).mean(1)
