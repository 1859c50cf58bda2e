"""What several methods do with maps (n c h w): resize, check, find their first component."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from convscope.errors import ComputeError, NoGradientError


def enlarge(maps: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    """Maps (n c h w) at another size, bilinear."""
    return functional.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)


def require_nonzero(gradient: Tensor, layer: str) -> Tensor:
    """The gradient at a layer, unless it is zero at all places of an image: then a map made from it
    would say nothing.

    Raises:
        NoGradientError: it is (the score goes through other tokens, or through none of the layer's
            units).
    """
    if not bool(gradient.flatten(1).any(1).all()):
        raise NoGradientError(
            f"The score's gradient is zero at every place of layer {layer!r}; choose an earlier"
            " layer."
        )
    return gradient


def first_component(maps: Tensor, toward: Tensor) -> Tensor:
    """The first principal component of maps (n c h w) over places, n 1 h w; its sign is the one
    that agrees with `toward` (n 1 h w).

    From the smaller of the two Gram matrices, in float64: a singular value decomposition would take
    longer than the network.
    """
    rows = maps.detach().flatten(2).transpose(1, 2).cpu().double()
    rows = rows - rows.mean(1, keepdim=True)
    if not bool(torch.isfinite(rows).all()):
        raise ComputeError("The maps hold NaN or infinity, so they have no principal component.")
    wide = rows.shape[1] <= rows.shape[2]
    values, vectors = torch.linalg.eigh(rows @ rows.mT if wide else rows.mT @ rows)
    first = vectors[..., -1:]
    component = first * values[:, None, -1:].clamp_min(0).sqrt() if wide else rows @ first
    component = component[..., 0].to(maps).unflatten(1, maps.shape[-2:])[:, None]
    agrees = ((toward - toward.mean((2, 3), keepdim=True)) * component).sum(
        (1, 2, 3), keepdim=True
    ) >= 0
    return torch.where(agrees, component, -component)
