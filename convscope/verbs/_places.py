"""The places of a layer on photos, as cells of a grid."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import LayerError
from convscope.probe import Probe

MAX_CELLS = 16
"""Cells a side: a finer layer is averaged, since each cell is a picture of its own."""


def pooled_activations(
    probe: Probe, image: Tensor, layer: str | None, cells: int
) -> tuple[str, Tensor]:
    """A layer, by default the last one with places, and its maps (n c h w) on network inputs,
    averaged over equal areas to at most so many places a side.

    Raises:
        LayerError: it has no places.
    """
    name = layer or probe.layers.last_spatial()
    if name is None or not probe.layers[name].spatial:
        raise LayerError(
            f"A grid needs a layer with places; {name or probe.model.name!r} has none. Name one"
            " with layer=."
        )
    maps = probe.activations(image, [name])[name].float()
    height, width = (min(side, cells, MAX_CELLS) for side in maps.shape[2:])
    pooled: Tensor = torch.nn.functional.adaptive_avg_pool2d(maps, (height, width))
    return name, pooled
