"""How a layer's output becomes maps: n c h w, whatever the network makes of it.

Convolutional outputs are maps already; a dense output is c maps of 1 x 1; tokens of a transformer become the grid they
were cut from, class and register tokens dropped. The inverse puts changed maps back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

MOST_EXTRA_TOKENS = 16
"""More class, distillation and register tokens than any published transformer has."""


@dataclass(frozen=True)
class Layout:
    """The default: decides by looking at the tensor.

    `grid` is the patch grid (rows, columns) of a transformer with one, `channels_last` says that four-dimensional
    outputs are n h w c.
    """

    grid: tuple[int, int] | None = None
    channels_last: bool = False

    def to_maps(self, output: Tensor, name: str = "") -> Tensor:
        """n c h w from a layer's raw output. A gradient of that output goes the same way."""
        if output.ndim == 4:
            return output.permute(0, 3, 1, 2) if self.channels_last else output
        if output.ndim == 2:
            return output[:, :, None, None]
        if output.ndim == 3:
            extra, rows, columns = self._tokens(output.shape[1])
            return output[:, extra:].transpose(1, 2).reshape(output.shape[0], -1, rows, columns)
        if output.ndim == 1:
            return output[:, None, None, None]
        return output.flatten(2)[..., None]

    def from_maps(self, maps: Tensor, like: Tensor, name: str = "") -> Tensor:
        """The raw output that `maps` (m c h w) stand for; `like` (1 ...) is the raw output they replace."""
        if like.ndim == 4:
            return maps.permute(0, 2, 3, 1) if self.channels_last else maps
        if like.ndim == 3:
            extra, _, _ = self._tokens(like.shape[1])
            kept = like[:, :extra].expand(maps.shape[0], -1, -1)
            return torch.cat([kept, maps.flatten(2).transpose(1, 2)], dim=1)
        return maps.reshape(maps.shape[0], *like.shape[1:])

    def _tokens(self, count: int) -> tuple[int, int, int]:
        """How many leading tokens are no places, and the rows and columns of the rest."""
        if self.grid is not None and 0 <= count - self.grid[0] * self.grid[1] <= MOST_EXTRA_TOKENS:
            return count - self.grid[0] * self.grid[1], *self.grid
        for extra in range(MOST_EXTRA_TOKENS + 1):
            side = math.isqrt(max(count - extra, 0))
            if side > 1 and side * side == count - extra:
                return extra, side, side
        return 0, count, 1


def first_tensor(output: Any) -> Tensor | None:
    """The tensor of a layer's or network's output: itself, or the first one in a tuple, list, dict or dataclass."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict) or hasattr(output, "keys"):
        output = [output[key] for key in output]
    elif not isinstance(output, (tuple, list)):
        output = list(vars(output).values()) if hasattr(output, "__dict__") else []
    for part in output:
        found = first_tensor(part)
        if found is not None:
            return found
    return None


def replace_first(output: Any, tensor: Tensor) -> Any:
    """The same structure with its first tensor replaced."""
    if isinstance(output, Tensor):
        return tensor
    if isinstance(output, dict) or hasattr(output, "keys"):
        for key in output:
            if first_tensor(output[key]) is not None:
                changed = {other: output[other] for other in output}
                changed[key] = replace_first(output[key], tensor)
                return changed if type(output) is dict else type(output)(**changed)
    if isinstance(output, (tuple, list)):
        parts = list(output)
        for place, part in enumerate(parts):
            if first_tensor(part) is not None:
                parts[place] = replace_first(part, tensor)
                break
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    return output
