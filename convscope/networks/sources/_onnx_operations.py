"""Three operations in place of the converter's: two that PyTorch warns about, and a concatenation
that is a layer."""

from __future__ import annotations

from functools import partial

import torch
from onnx2pytorch import operations
from torch import Tensor, nn

from convscope.core.types import Foreign


class Gather(nn.Module):
    """Pick by index along one axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, data: Tensor, indices: Tensor) -> Tensor:
        """data with `axis` replaced by the shape of `indices`."""
        axis = self.axis % data.ndim
        selected = data.index_select(axis, indices.long().flatten())
        return selected.reshape((*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]))


class Slice(nn.Module):
    """Cut along some axes."""

    def __init__(self, axes: Foreign, starts: Foreign, ends: Foreign, steps: Foreign) -> None:
        super().__init__()
        self.constants = (starts, ends, axes, steps)

    def forward(self, data: Tensor, *dynamic: Foreign) -> Tensor:
        """The part of `data` from starts to ends."""
        known = [
            first if first is not None else second
            for first, second in zip(
                [*dynamic, None, None, None, None], self.constants, strict=False
            )
        ]
        starts, ends, axes, steps = (
            None if part is None else [int(number) for number in part] for part in known
        )
        assert starts is not None
        assert ends is not None
        for axis, start, end, step in zip(
            axes or range(len(starts)), starts, ends, steps or [1] * len(starts), strict=False
        ):
            picked = range(*slice(start, end, step).indices(data.shape[axis]))
            if step > 0:
                data = data.narrow(
                    axis, picked.start if picked else 0, picked[-1] - picked[0] + 1 if picked else 0
                )
                data = data[(*[slice(None)] * (axis % data.ndim), slice(None, None, step))]
            else:
                data = data.index_select(
                    axis, torch.tensor(list(picked), dtype=torch.long, device=data.device)
                )
        return data


class Concat(nn.Module):
    """Join along one axis; a constant made for one image joins every image of a batch."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *parts: Tensor) -> Tensor:
        """All parts in a row."""
        count = max(part.shape[0] if part.ndim else 1 for part in parts)
        if self.axis % parts[0].ndim != 0:
            parts = tuple(
                part.expand(count, *part.shape[1:]) if part.shape[0] == 1 else part
                for part in parts
            )
        return torch.cat(parts, self.axis)


def replace_operations(network: nn.Module, mapping: dict[str, str]) -> None:
    """Put these operations in place of the converter's."""
    for name in mapping.values():
        operation = getattr(network, name)
        if isinstance(operation, partial) and operation.func is torch.cat:
            delattr(network, name)
            setattr(network, name, Concat(operation.keywords.get("dim", 0)))
        elif isinstance(operation, operations.Gather):
            setattr(network, name, Gather(operation.dim))
        elif isinstance(operation, operations.Slice):
            setattr(
                network,
                name,
                Slice(operation.dim, operation.starts, operation.ends, operation.steps),
            )
