from __future__ import annotations

from dataclasses import replace

import torch

from convscope.core.ranges import Shift
from convscope.errors import OptionError
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import Frame, register


@register(affine=True)
def jitter(frame: Frame, streams: RandomStreams, *, pixels: Shift = 8) -> Frame:
    """A random cut that is `pixels` smaller than the image, so that it moves by whole pixels
    (Mordvintsev et al., 2015; Lucid).

    Pad by half as much before, and it never cuts the image itself. What was cut off does not come
    back: a rotation that follows shows black there.

    Args:
        pixels: how much smaller, in height and in width.

    Raises:
        OptionError: nothing of the image would be left.
    """
    height, width = (side - pixels for side in frame.size)
    if min(height, width) < 1:
        raise OptionError(
            f"jitter({pixels}) leaves nothing of an image of {frame.size[0]} x {frame.size[1]}"
            " pixels; use less, or pad before it."
        )
    corner = streams.integers(0, pixels, 2)
    matrix = torch.eye(3, device=corner.device).repeat(len(corner), 1, 1)
    if frame.untouched:
        return replace(frame, size=(height, width), corner=corner.flip(1), held=(height, width))
    matrix[:, :2, 2] = corner - pixels / 2
    return replace(frame.after(matrix), size=(height, width))
