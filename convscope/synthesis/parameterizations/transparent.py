from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.core.ranges import UnitInterval
from convscope.synthesis import parameterizations
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams


@register(alpha=True)
def transparent(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    base: str = "fourier",
    opaque: UnitInterval = 0.5,
    start: Tensor | None = None,
) -> nn.Module:
    """Another parameterization with one channel more, the image's opacity (Mordvintsev et al.,
    2018).

    `forward()` gives n (c + 1) h w. The transform `composite` puts the image on random backgrounds
    before the network sees it, and the regularizer `opacity` lets what does not matter fade away. A
    photo to start from may have the channel or not.

    Args:
        base: the parameterization used for image and opacity.
        opaque: opacity at the start, where a photo without opacity is given.

    Example:
        convscope.visualize(model, "blocks.3:11", preset="transparent")
    """
    count, channels, height, width = shape
    options: dict[str, object] = {}
    if start is not None:
        full = start.new_full((len(start), 1, height, width), opaque)
        options["start"] = (
            start if start.shape[1] == channels + 1 else torch.cat([start, full], dim=1)
        )
    base_image: nn.Module = parameterizations.registry.get(base)(
        (count, channels + 1, height, width), streams, **options
    )
    return base_image
