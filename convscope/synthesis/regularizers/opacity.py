from __future__ import annotations

from torch import Tensor

from convscope.synthesis.regularizers import register


@register(scale=25.0, alpha=True)
def opacity(image: Tensor) -> Tensor:
    """The mean of the image's last channel, its opacity: what does not matter becomes transparent
    (Mordvintsev et al., 2018)."""
    return image[:, -1].flatten(1).mean(1)
