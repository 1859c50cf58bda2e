from __future__ import annotations

import math

import torch

from convscope.core.ranges import NonNegativeFloat
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import Frame, register


@register(affine=True)
def rotate(frame: Frame, streams: RandomStreams, *, degrees: NonNegativeFloat = 5.0) -> Frame:
    """The image turned about its center, by up to `degrees` each way (Olah et al., 2017: 5; Lucid:
    10).

    Args:
        degrees: the largest angle.
    """
    angle = streams.uniform(low=-degrees, high=degrees) * (math.pi / 180)
    cosine, sine, none = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [cosine, -sine, none, sine, cosine, none, none, none, none + 1]
    return frame.after(torch.stack(rows, dim=1).reshape(-1, 3, 3))
