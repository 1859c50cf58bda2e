from __future__ import annotations

import torch
from torch import Tensor

from convscope.objectives import Seen, register


@register()
def direction(seen: Seen, *, layer: str, vector: tuple[float, ...], power: float = 0.0, row: int | None = None, column: int | None = None) -> Tensor:
    """A direction in a layer's space of channels: dot product, or dot x cosine^power (Carter et al., 2019).

    With power 0 it is the mean dot product over all places; the cosine counts how well an activation is aligned, and keeps
    the ascent from leaving the direction for any large activation.

    Args:
        layer: the layer's name.
        vector: one number per channel.
        power: of the cosine.
        row: one place only: its row.
        column: one place only: its column.

    Example:
        convscope.visualize(model, objective("direction", layer="blocks.4", vector=[...]))
    """
    maps = seen.maps[layer]
    if row is not None and column is not None:
        places = torch.arange(len(maps), device=maps.device)
        maps = maps[places, :, row, column][:, :, None, None]
    wanted = torch.tensor(vector, device=maps.device, dtype=maps.dtype)
    dot = torch.einsum("nchw,c->nhw", maps, wanted)
    if not power:
        return dot.mean((1, 2))
    cosine = dot / (maps.norm(dim=1) * wanted.norm()).clamp_min(1e-8)
    return (dot * cosine.clamp_min(0.1) ** power).mean((1, 2))
