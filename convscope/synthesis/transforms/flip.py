from __future__ import annotations

import torch

from convscope.core.ranges import UnitInterval
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import Frame, register


@register(affine=True)
def flip(frame: Frame, streams: RandomStreams, *, probability: UnitInterval = 0.5) -> Frame:
    """The image mirrored left to right, at random.

    Args:
        probability: of being mirrored.
    """
    sign = 1 - 2 * (streams.uniform() < probability).float()
    return frame.after(
        torch.diag_embed(torch.stack([sign, torch.ones_like(sign), torch.ones_like(sign)], dim=1))
    )
