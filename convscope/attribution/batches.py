"""How methods go through many images: one at a time, or in batches of a bounded size."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from convscope.core import progress
from convscope.core.duration import progressed
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.probe.malloc import keep_freed_memory
from convscope.questions.target import Target


def singles(
    image: Tensor, target: Target, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Target]]:
    """Each image of a batch with its target; every one meets the same random draws, so a batch
    gives what single images give."""
    state = generator.get_state() if generator is not None else None
    for place in range(len(image)):
        progressed("images", place, len(image), key=id(image))
        if generator is not None and state is not None:
            generator.set_state(state)
        yield image[place : place + 1], target.at(place)
    progressed("images", len(image), len(image), key=id(image))


def chunks(total: int, batch: int, what: str) -> Iterator[slice]:
    """0 to `total` in slices of at most `batch`, reported as progress.

    Raises:
        OptionError: nothing to do, or batches of nothing.
    """
    if batch < 1 or total < 1:
        raise OptionError(
            f"{what}: batch and the number of runs must be 1 or more; {batch} and {total} were"
            " given."
        )
    progress.advance(what, 0, total)
    with keep_freed_memory():
        for start in range(0, total, batch):
            stop = min(start + batch, total)
            yield slice(start, stop)
            progress.advance(what, stop, total)


def chunks_of_copies(
    probe: Probe, image: Tensor, total: int, batch: int, what: str
) -> Iterator[slice]:
    """`chunks` for a loop in which each slice makes so many changed copies of an image (1 c h w).

    Raises:
        OptionError: there is no memory for so many at once.
    """
    size = (image.shape[-2], image.shape[-1])
    probe.require_room(min(batch, total), size, gradients=False)
    return chunks(total, batch, what)
