from __future__ import annotations

from torch import Tensor

from convscope.objectives import Seen, pick, register


@register()
def neuron(seen: Seen, *, layer: str, index: int, row: int | None = None, column: int | None = None) -> Tensor:
    """One channel at one place: what a single neuron looks for in its receptive field (Erhan et al., 2009).

    Args:
        layer: the layer's name.
        index: the channel.
        row: the place's row; the middle by default.
        column: the place's column; the middle by default.

    Example:
        convscope.visualize(model, "blocks.3:11:7,7")
    """
    maps = pick(seen.maps[layer], index)
    height, width = maps.shape[1:]
    rows = pick(maps, height // 2 if row is None else row)
    return pick(rows, width // 2 if column is None else column)
