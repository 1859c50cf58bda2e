from __future__ import annotations

from torch import Tensor

from convscope.regularizers import register


@register()
def border(image: Tensor, *, width: int = 8, grey: float = 0.5) -> Tensor:
    """The mean square distance from grey in a border: the picture moves to the middle (Lucid, 2018).

    Args:
        width: of the border in pixels.
        grey: the value that costs nothing.
    """
    inside = image[..., width:-width, width:-width]
    whole, middle = (image - grey).pow(2).flatten(1).sum(1), (inside - grey).pow(2).flatten(1).sum(1)
    return (whole - middle) / max(image[0].numel() - inside[0].numel(), 1)
