from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.synthesis.objectives import ForwardPass, register


@register()
def direction(
    forward: ForwardPass,
    *,
    layer: str,
    vector: tuple[float, ...],
    power: float = 0.0,
    row: int | None = None,
    column: int | None = None,
    name: str = "",
) -> Tensor:
    """A direction in a layer's space of channels: dot product, or dot x cosine^power (Carter et
    al., 2019).

    With power 0 it is the mean dot product over all places; the cosine counts how well an
    activation is aligned, and keeps the ascent from leaving the direction for any large activation.

    Args:
        layer: the layer's name.
        vector: one number per channel.
        power: of the cosine.
        row: one place only: its row; the middle if only the column is given.
        column: one place only: its column; the middle if only the row is given.
        name: what titles call it.

    Raises:
        OptionError: the vector has not one number for each channel.

    Example:
        convscope.visualize(model, objective("direction", layer="blocks.4", vector=vector))
    """
    maps = forward.maps[layer]
    if row is not None or column is not None:
        places = torch.arange(len(maps), device=maps.device)
        row, column = (
            size // 2 if place is None else place
            for place, size in zip((row, column), maps.shape[2:], strict=True)
        )
        maps = maps[places, :, row, column][:, :, None, None]
    if len(vector) != maps.shape[1]:
        raise OptionError(
            f"A direction at {layer} needs {maps.shape[1]} numbers, one a channel; {len(vector)}"
            " were given."
        )
    wanted = torch.tensor(vector, device=maps.device, dtype=maps.dtype)
    dot = (maps * wanted[:, None, None]).sum(1)
    if not power:
        return dot.mean((1, 2))
    cosine: Tensor = dot / (maps.norm(dim=1) * wanted.norm()).clamp_min(1e-8)
    return (dot * cosine.clamp_min(0.1) ** power).mean((1, 2))
