"""Numbers that change when any weight does, for a few hundredths of a forward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

import torch
from torch import Tensor

TensorVersions: TypeAlias = tuple[tuple[int, int, int, torch.Size, tuple[int, ...]], ...]

BLOCK = 1 << 16
"""Values that are multiplied with one row of random numbers: few enough to stay in the cache."""

SMALL = 1 << 14
"""Tensors of fewer values are put together first: a copy costs less than a call for each."""

ROW = 1 << 10
"""Values of small tensors that share one number."""


def checksum(tensors: Iterable[Tensor]) -> tuple[float, ...]:
    """The products of the tensors' values with fixed random numbers, summed over parts of them.

    PyTorch counts the changes of a tensor, but not those through `weight.data` or the array that
    shares its memory; a network with such a change would be answered for by an old copy. The random
    numbers notice values that changed places, which a plain sum does not. What is lost is a change
    far below a float's precision.
    """
    return WeightViews(tensors).checksum()


def versions_of(tensors: Iterable[Tensor]) -> TensorVersions:
    """Which tensors these are, where and how they lie in memory, and how often PyTorch saw them
    change."""
    return tuple(
        (
            id(tensor),
            tensor.data_ptr(),
            -1 if tensor.is_inference() else tensor._version,  # those have no count
            tensor.shape,
            tensor.stride(),
        )
        for tensor in tensors
    )


class WeightReader:
    """Reads the weights of one network as often as one likes."""

    def __init__(self) -> None:
        self._views: tuple[TensorVersions, WeightViews] | None = None

    def read(self, tensors: Sequence[Tensor]) -> Hashable:
        """Stands for the tensors as they are now, values included."""
        versions = versions_of(tensors)
        if self._views is None or self._views[0] != versions:
            self._views = versions, WeightViews(tensors)
        return versions, self._views[1].checksum()


class WeightViews:
    """Tensors cut into the parts that `checksum` multiplies: views of their memory, so that they
    are made once and read as often as one likes."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._large: list[tuple[Tensor, Tensor]] = []
        self._small: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        self._converted: list[Tensor] = []
        with torch.inference_mode(False), torch.no_grad():
            for tensor in tensors:
                values = tensor.detach()
                if tensor.is_inference() or not values.is_contiguous():
                    self._converted.append(values)
                elif values.numel() < SMALL:
                    key = (values.device, values.dtype)
                    self._small.setdefault(key, []).append(values.view(-1))
                elif values.dtype == torch.float32:
                    self._large.append(_blocks(values.view(-1)))
                else:
                    self._converted.append(values)

    def checksum(self) -> tuple[float, ...]:
        """The numbers for the values as they are now."""
        with torch.inference_mode(False), torch.no_grad():
            sums = self._sums()
            if not all(map(math.isfinite, sums)):
                # A mask of minus infinity: such a sum equals none, not even its own.
                sums = self._sums(_finite)
            return tuple(sums)

    def _sums(self, prepare: Callable[[Tensor], Tensor] = lambda values: values) -> list[float]:
        """A number for each part, of what `prepare` makes of its values."""
        large = chain(self._large, map(_blocks, map(_flat, self._converted)))
        sums = [total for blocks in large for total in _weighted_sums(*map(prepare, blocks))]
        for group in self._small.values():
            sums.append(_weighted_rows(prepare(_flat(torch.cat(group)))))
        return torch.cat([part.cpu() for part in sums]).tolist() if sums else []


def _finite(values: Tensor) -> Tensor:
    """Values that can be added up: infinities and what is no number as numbers that are rare."""
    return values.double().nan_to_num(nan=1.2345e3, posinf=2.3456e3, neginf=-3.4567e3)


def _flat(tensor: Tensor) -> Tensor:
    """All values in one row, as 32-bit floats, where autograd may work."""
    values = (tensor.clone() if tensor.is_inference() else tensor).reshape(-1)
    return (values.abs() if values.is_complex() else values).float()


def _blocks(values: Tensor) -> tuple[Tensor, Tensor]:
    """A row of values as whole blocks, and what is left."""
    whole = values.numel() // BLOCK * BLOCK
    return values[:whole].view(-1, BLOCK), values[whole:]


def _weighted_sums(blocks: Tensor, remainder: Tensor) -> tuple[Tensor, Tensor]:
    """A number for every block of a large tensor, and one for what is left."""
    factors = _factors(blocks.device).to(blocks.dtype)
    return blocks @ factors, (remainder @ factors[: len(remainder)])[None]


def _weighted_rows(values: Tensor) -> Tensor:
    """A number for every `ROW` values of small tensors, laid end to end."""
    factors = _factors(values.device)[:ROW].to(values.dtype)
    whole = values.numel() // ROW * ROW
    last = values[whole:] @ factors[: values.numel() - whole]
    return torch.cat([values[:whole].view(-1, ROW) @ factors, last[None]])


@lru_cache(maxsize=4)
def _factors(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BLOCK, generator=generator, dtype=torch.float32).to(device)
