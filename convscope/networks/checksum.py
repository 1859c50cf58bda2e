"""A number that changes when any weight does, for a few hundredths of a forward pass."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

BLOCK = 1 << 16
"""Values that are multiplied with one row of random numbers: few enough to stay in the cache."""


def checksum(tensors: Iterable[Tensor]) -> tuple[float, ...]:
    """One number for each tensor: the products of its values with fixed random numbers, summed.

    PyTorch counts the changes of a tensor, but not those through `weight.data` or the array that
    shares its memory; a network with such a change would be answered for by an old copy. The random
    numbers notice values that changed places, which a plain sum does not. What is lost is a change
    far below a float's precision.
    """
    with torch.inference_mode(False), torch.no_grad():
        sums = [_weighted_sum(tensor.detach()) for tensor in tensors]
        if not sums:
            return ()
        return tuple(torch.stack([value.cpu() for value in sums]).tolist())


def _weighted_sum(tensor: Tensor) -> Tensor:
    if tensor.is_inference():
        tensor = tensor.clone()
    values = tensor.reshape(-1)
    if values.dtype != torch.float32:
        values = values.abs() if values.is_complex() else values.float()
    factors = _factors(values.device)
    whole = values.numel() // BLOCK * BLOCK
    rest = values[whole:]
    total = rest @ factors[: rest.numel()]
    if whole:
        rows = values[:whole].view(-1, BLOCK) @ factors
        total = total + rows @ _row_factors(rows.numel(), values.device)
    return total.float()


@lru_cache(maxsize=4)
def _factors(device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BLOCK, generator=generator, dtype=torch.float32).to(device)


def _row_factors(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, dtype=torch.float32, device=device).rsqrt()
