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
        flat = [_values(tensor.detach()) for tensor in tensors]
        large = [_weighted_sum(values) for values in flat if values.numel() >= BLOCK]
        sums = [value.cpu() for value in large]
        small = [values for values in flat if values.numel() < BLOCK]
        for device in dict.fromkeys(values.device for values in small):
            sums.append(_weighted_sums([value for value in small if value.device == device]).cpu())
        return tuple(torch.cat([value.reshape(-1) for value in sums]).tolist()) if sums else ()


def _values(tensor: Tensor) -> Tensor:
    """All values of a tensor in one row of float32."""
    if tensor.is_inference():
        tensor = tensor.clone()
    values = tensor.reshape(-1)
    if values.dtype != torch.float32:
        values = values.abs() if values.is_complex() else values.float()
    return values


def _weighted_sums(tensors: list[Tensor]) -> Tensor:
    """The weighted sum of each of several small tensors of one device: together, since a network
    has hundreds of them and each call costs more than its sums."""
    device = tensors[0].device
    lengths = torch.tensor([values.numel() for values in tensors], device=device)
    products = torch.cat(tensors)
    rows = products.numel() // BLOCK
    factors = _factors(device)
    products[: rows * BLOCK].view(-1, BLOCK).mul_(factors)
    products[rows * BLOCK :].mul_(factors[: products.numel() - rows * BLOCK])
    return torch.segment_reduce(products, "sum", lengths=lengths, unsafe=True)


def _weighted_sum(values: Tensor) -> Tensor:
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
