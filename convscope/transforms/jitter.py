from __future__ import annotations

import torch

from convscope.streams import Streams
from convscope.transforms import Frame, register


@register(affine=True)
def jitter(frame: Frame, streams: Streams, *, pixels: int = 8) -> Frame:
    """The image shifted by whole pixels, up to half of `pixels` each way (Mordvintsev et al., 2015).

    Args:
        pixels: size of the square of shifts.
    """
    shift = streams.integers(-(pixels // 2), pixels // 2, 2).float()
    matrix = torch.eye(3, device=shift.device).repeat(len(shift), 1, 1)
    matrix[:, :2, 2] = shift
    return frame.after(matrix)
