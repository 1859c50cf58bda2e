"""Plain fields and masks to draw stimuli with."""

from __future__ import annotations

import torch
from torch import Tensor

GRAY = 0.5
"""Of the background, in [0, 1]."""

FADE = 0.2
"""The share of an image's side over which gratings fade into the background at each border, so that
the border itself is no stimulus."""


def plain(size: tuple[int, int], color: tuple[float, float, float] = (GRAY, GRAY, GRAY)) -> Tensor:
    """A field of one color (3 h w)."""
    return torch.tensor(color)[:, None, None].expand(3, *size).clone()


def coordinates(
    size: tuple[int, int], center: tuple[float, float] = (0.5, 0.5)
) -> tuple[Tensor, Tensor]:
    """How far each pixel's middle lies below and to the right of a center, in pixels (h w each);
    the center in shares of height and width."""
    height, width = size
    down = torch.arange(height) + 0.5 - center[0] * height
    across = torch.arange(width) + 0.5 - center[1] * width
    return down[:, None].expand(size), across[None].expand(size)


def paint(field: Tensor, mask: Tensor, color: tuple[float, float, float]) -> Tensor:
    """The field (3 h w) with a color where the mask (h w, 0 to 1) is set."""
    return field * (1 - mask) + torch.tensor(color)[:, None, None] * mask


def disk(
    size: tuple[int, int], diameter: float, center: tuple[float, float] = (0.5, 0.5)
) -> Tensor:
    """The mask of a disk with a soft edge of one pixel (h w)."""
    down, across = coordinates(size, center)
    return (diameter / 2 - torch.hypot(down, across) + 0.5).clamp(0, 1)


def window(size: tuple[int, int]) -> Tensor:
    """1 in the middle, 0 at the border, a raised cosine in between (h w)."""
    sides = []
    for side in size:
        distance = torch.minimum(torch.arange(side) + 0.5, side - torch.arange(side) - 0.5)
        share = (distance / (FADE * side)).clamp(max=1)
        sides.append((1 - torch.cos(torch.pi * share)) / 2)
    return sides[0][:, None] * sides[1][None]
