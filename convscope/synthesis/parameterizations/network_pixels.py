from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.core.ranges import NonNegativeFloat
from convscope.networks.model import Model
from convscope.synthesis.color_space import EDGE
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams


@register(network_units=True, noise="noise", pixels=True)
def network_pixels(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    model: Model,
    noise: NonNegativeFloat = 1.0,
    start: Tensor | None = None,
) -> nn.Module:
    """Pixels in the network's own units (after preprocessing), clipped to what valid pixels become
    there (CS231n).

    Published step sizes for class images and inversions are in these units.

    Args:
        noise: standard deviation of the normal noise that it starts from.

    Example:
        convscope.class_image(model, "tarantula", preset="simonyan")
    """
    low, high = (
        model.preprocess(torch.full((1, *shape[1:]), value)).float() for value in (EDGE, 1 - EDGE)
    )
    entered = (
        noise * streams.normal(*shape[1:]).to(low.device)
        if start is None
        else model.preprocess(start).float()
    )
    return _NetworkPixels(entered, model, low, high)


class _NetworkPixels(nn.Module):
    low: Tensor
    high: Tensor

    def __init__(self, entered: Tensor, model: Model, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.entered = nn.Parameter(entered)
        self._leave = model.deprocess
        self.register_buffer("low", torch.minimum(low, high))
        self.register_buffer("high", torch.maximum(low, high))
        self.project()

    def forward(self) -> Tensor:
        return self._leave(self.entered)

    @torch.no_grad()
    def project(self) -> None:
        self.entered.copy_(torch.minimum(torch.maximum(self.entered, self.low), self.high))
