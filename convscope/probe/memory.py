"""Whether a run has room in memory: asked before anything of it is there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from convscope.core.memory import available_memory
from convscope.errors import OptionError
from convscope.networks.layer import Layers

FLOAT_BYTES = 4

UNCHECKED_VALUES = 2**22
"""Inputs with fewer values (28 photos of 224 x 224) have room anywhere, and are not asked about."""

KEPT_SHARE = 0.5
"""The share of all activations that a run with gradients keeps at least: measured 0.5 to 1.7 on
EfficientNet, ResNet, ConvNeXt and VGG (a folded norm and an in-place ReLU keep none)."""

WORKING_COPIES = 1.5
"""How many times the largest activation a run without gradients takes at least: measured 1.5 to 3
on the same networks."""

UNKNOWN_COPIES = 4
"""How many times its input a network takes at least, before a dry run says more."""

OPTIMIZED_COPIES = 8
"""An optimized image beside the network: its parameters, their gradient, the optimizer's two
moments, the image itself, transformed and preprocessed, and its gradient."""


class NoRoomError(OptionError):
    """More memory is needed than is free."""


@dataclass(frozen=True)
class MemoryCost:
    """The bytes that a network takes at least for one pixel of its input, with gradients and
    without."""

    with_gradients: float
    without_gradients: float

    @classmethod
    def of(cls, layers: Layers, size: tuple[int, int]) -> MemoryCost:
        """Read from what a dry run on an image of that size saw."""
        values = [math.prod(row.shape) for name, row in layers.items() if row.source == name]
        pixels = math.prod(size)
        return cls(
            KEPT_SHARE * FLOAT_BYTES * sum(values) / pixels,
            WORKING_COPIES * FLOAT_BYTES * max(values, default=0) / pixels,
        )


def bytes_needed(
    cost: MemoryCost | None, shape: tuple[int, ...], *, gradients: bool, optimized: bool = False
) -> float:
    """What images of a shape (n c h w) need at least, beside the network.

    `optimized` images are what an optimization changes, with all that belongs to them; the network
    may then see less of them at once, so only they are counted.
    """
    values = math.prod(shape)
    if optimized:
        return OPTIMIZED_COPIES * FLOAT_BYTES * values
    if cost is None:
        return UNKNOWN_COPIES * FLOAT_BYTES * values
    per_pixel = cost.with_gradients if gradients else cost.without_gradients
    return per_pixel * values / shape[1]


def free_memory(device: torch.device) -> int | None:
    """The bytes that are free where the network is; None where that is not known."""
    if device.type == "cpu":
        return available_memory()
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return None
