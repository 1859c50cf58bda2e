from __future__ import annotations

import torch
from torch import Tensor

from convscope.core.ranges import Shift
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import register


@register()
def roll(images: Tensor, streams: RandomStreams, *, pixels: Shift = 16) -> Tensor:
    """The image shifted with what leaves one side coming in at the other, up to `pixels` each way
    (CS231n).

    Args:
        pixels: the largest shift.
    """
    shifts = streams.integers(-pixels, pixels, 2).tolist()
    return torch.stack(
        [
            image.roll((down, right), (1, 2))
            for image, (down, right) in zip(images, shifts, strict=True)
        ]
    )
