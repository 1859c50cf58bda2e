from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import UnitError
from convscope.synthesis.objectives import ForwardPass, pick, register


@register()
def neuron(
    forward: ForwardPass,
    *,
    layer: str,
    index: int,
    row: int | None = None,
    column: int | None = None,
) -> Tensor:
    """One channel at one place: what a single neuron looks for in its receptive field (Erhan et
    al., 2009).

    Args:
        layer: the layer's name.
        index: the channel.
        row: the place's row; the middle by default.
        column: the place's column; the middle by default.

    Raises:
        UnitError: the layer has fewer places on images of this size.

    Example:
        convscope.visualize(model, "blocks.3:11:7,7")
    """
    maps = forward.maps.unit(layer, index)
    height, width = maps.shape[1:]
    for place, size in ((row, height), (column, width)):
        if place is not None and int(torch.as_tensor(place).max()) >= size:
            raise UnitError(
                f"On images of this size {layer!r} has {height} x {width} places; row {_said(row)},"
                f" column {_said(column)} was asked for."
            )
    rows = pick(maps, height // 2 if row is None else row)
    return pick(rows, width // 2 if column is None else column)


def _said(place: int | Tensor | None) -> str:
    """The largest of the places, as text."""
    return "in the middle" if place is None else str(int(torch.as_tensor(place).max()))
