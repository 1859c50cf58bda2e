"""The memory order of a network's input: convolutions on a processor run fastest where the channels
lie last, and not every network takes that."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.networks.layout import first_tensor
from convscope.networks.memory_errors import is_out_of_memory
from convscope.networks.model import Model
from convscope.probe.agreement import agree


@dataclass(frozen=True)
class MemoryOrder:
    """Whether a network of this structure gives the same for images whose channels lie last in
    memory: it may ask its maps for a `view` that only the usual order has."""

    structure: Hashable
    takes_channels_last: bool


def try_channels_last(model: Model, image: Tensor, run: Callable[[Tensor], object]) -> None:
    """Find out with one image (1 c h w), once while the modules stay what they are, whether the
    network takes images with the channels last; `run` runs it in the usual order."""
    memory, structure = model.state.memory, model.state.structure
    known = memory.recall(MemoryOrder)
    if not model.is_frozen and (known is None or known.structure != structure):
        memory.keep(MemoryOrder(structure, _gives_the_same(model, image.detach(), run)))


def _gives_the_same(model: Model, image: Tensor, run: Callable[[Tensor], object]) -> bool:
    with torch.no_grad():
        expected = first_tensor(run(image.contiguous()))
        try:
            output = first_tensor(model(image.contiguous(memory_format=torch.channels_last)))
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            if is_out_of_memory(error):
                raise
            return False
    return agree(expected, output)
