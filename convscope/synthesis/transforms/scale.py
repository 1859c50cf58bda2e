from __future__ import annotations

import torch

from convscope.core.ranges import Zoom
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import Frame, register


@register(affine=True)
def scale(
    frame: Frame,
    streams: RandomStreams,
    *,
    low: Zoom = 0.9,
    high: Zoom = 1.1,
    choices: tuple[float, ...] | None = None,
) -> Frame:
    """The image enlarged or shrunk about its center (Olah et al., 2017).

    Args:
        low: smallest factor.
        high: largest factor.
        choices: factors to choose from instead (Distill: 1, 0.975, 1.025, 0.95, 1.05).
    """
    if choices:
        factor = torch.tensor(choices)[streams.integers(0, len(choices) - 1).cpu()].to(
            frame.matrix.device
        )
    else:
        factor = streams.uniform(low=low, high=high)
    matrix = torch.diag_embed(torch.stack([1 / factor, 1 / factor, torch.ones_like(factor)], dim=1))
    return frame.after(matrix)
