from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.core.ranges import NonNegativeFloat, UnitInterval
from convscope.synthesis.color_space import EDGE
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams


@register(noise="noise", pixels=True)
def pixels(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    noise: NonNegativeFloat = 20 / 255,
    gray: UnitInterval = 128 / 255,
    clip: bool = True,
    start: Tensor | None = None,
) -> nn.Module:
    """The pixels themselves, from gray with a little noise (Chollet, Deep Learning with Python,
    5.4.2).

    The book lets pixels go where they will and standardizes them at the end (`clip=False`); clipped
    they stay what a photo can be, so that the network is asked about images.

    Args:
        noise: height of the uniform noise that it starts from.
        gray: what the noise is added to.
        clip: keep the pixels in (0, 1) after each step.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="pixels")
    """
    image = gray + noise * streams.uniform(*shape[1:]) if start is None else start.clone()
    return _Pixels(image, clip)


class _Pixels(nn.Module):
    def __init__(self, image: Tensor, clip: bool) -> None:
        super().__init__()
        self.image = nn.Parameter(image)
        self.clip = clip
        self.project()

    def forward(self) -> Tensor:
        return self.image

    @torch.no_grad()
    def project(self) -> None:
        if self.clip:
            self.image.clamp_(EDGE, 1 - EDGE)
