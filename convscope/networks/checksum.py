"""Numbers that change when any weight does, for a few hundredths of a forward pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

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
    with torch.inference_mode(False), torch.no_grad():
        small: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        sums: list[Tensor] = []
        for tensor in tensors:
            if tensor.numel() < SMALL:
                small.setdefault((tensor.device, tensor.dtype), []).append(tensor)
            else:
                sums.append(_weighted_sum(_flat(tensor)))
        sums += [_weighted_rows(group) for group in small.values()]
        return tuple(torch.cat([part.reshape(-1).cpu() for part in sums]).tolist()) if sums else ()


def _flat(tensor: Tensor) -> Tensor:
    """All values in one row, as 32-bit floats."""
    if tensor.is_inference():
        tensor = tensor.clone()
    values = tensor.detach().reshape(-1)
    if values.dtype != torch.float32:
        values = values.abs() if values.is_complex() else values.float()
    return values.float()


def _weighted_sum(values: Tensor) -> Tensor:
    """One number for a large tensor."""
    factors = _factors(values.device)
    whole = values.numel() // BLOCK * BLOCK
    partial = values[whole:]
    total = partial @ factors[: partial.numel()]
    if whole:
        rows = values[:whole].view(-1, BLOCK) @ factors
        total = total + rows @ _row_factors(rows.numel(), values.device)
    return total


def _weighted_rows(tensors: Sequence[Tensor]) -> Tensor:
    """One number for every `ROW` values of small tensors of one type, laid end to end."""
    values = _flat(torch.cat([tensor.detach().reshape(-1) for tensor in tensors]))
    factors = _factors(values.device)[:ROW]
    whole = values.numel() // ROW * ROW
    last = values[whole:] @ factors[: values.numel() - whole]
    return torch.cat([values[:whole].view(-1, ROW) @ factors, last[None]])


@lru_cache(maxsize=4)
def _factors(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BLOCK, generator=generator, dtype=torch.float32).to(device)


@lru_cache(maxsize=64)
def _row_factors(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, dtype=torch.float32, device=device).rsqrt()
