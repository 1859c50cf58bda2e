"""Images as an 8-bit file holds them, with the gradient of what they are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EightBit(nn.Module):
    """A parameterization whose images are rounded to 8 bits; the gradient passes unrounded.

    `shown` (n c h w) was asked for last, `evaluated` was last asked for with a gradient.
    """

    def __init__(self, parameterization: nn.Module) -> None:
        super().__init__()
        self.parameterization = parameterization
        self.shown = self.evaluated = torch.empty(0)

    def forward(self) -> Tensor:
        image: Tensor = self.parameterization()
        self.shown = rounded(image.detach())
        if torch.is_grad_enabled() and image.requires_grad:
            self.evaluated = self.shown
        return image + (self.shown - image.detach())

    def project(self) -> None:
        """Bring the images back to valid pixels after a step."""
        self.parameterization.project()  # type: ignore[operator]


def rounded(image: Tensor) -> Tensor:
    """An image in [0, 1] at the nearest of 256 levels."""
    return ((image * 255).round() / 255).clamp(0, 1)
