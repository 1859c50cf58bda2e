from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.synthesis.parameterizations import register
from convscope.synthesis.parameterizations._color import EDGE
from convscope.synthesis.random import RandomStreams


@register()
def pixels(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    noise: float = 20 / 255,
    gray: float = 128 / 255,
    start: Tensor | None = None,
) -> nn.Module:
    """The pixels themselves, kept in (0, 1) by clipping after each step (Chollet, Deep Learning
    with Python, 5.4.2).

    Args:
        noise: height of the uniform noise that it starts from.
        gray: what the noise is added to.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="pixels")
    """
    image = gray + noise * streams.uniform(*shape[1:]) if start is None else start.clone()
    return _Pixels(image)


class _Pixels(nn.Module):
    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = nn.Parameter(image)
        self.project()

    def forward(self) -> Tensor:
        return self.image

    @torch.no_grad()
    def project(self) -> None:
        self.image.clamp_(EDGE, 1 - EDGE)
