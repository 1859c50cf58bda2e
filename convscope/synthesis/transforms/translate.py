from __future__ import annotations

import torch

from convscope.core.ranges import Shift
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import Frame, register


@register(affine=True)
def translate(frame: Frame, streams: RandomStreams, *, pixels: Shift = 8) -> Frame:
    """The image moved by up to so many whole pixels, at its own size: black comes in where it was.

    As torchvision's `RandomAffine(translate=...)` and Lucent's `jitter` do, where Lucid's `jitter`
    cuts the image smaller.

    Args:
        pixels: the most it is moved to either side, and up or down.
    """
    shift = streams.integers(-pixels, pixels, 2)
    matrix = torch.eye(3, device=shift.device).repeat(len(shift), 1, 1)
    matrix[:, :2, 2] = shift
    return frame.after(matrix)
