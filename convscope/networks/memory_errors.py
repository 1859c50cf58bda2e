"""An allocation that failed, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from convscope.errors import ComputeError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, in Python, in torch on a processor, or on a GPU."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


@contextmanager
def memory_errors(
    caller: str, advice: str = "take a smaller size, or fewer images at once"
) -> Iterator[None]:
    """An allocation that fails inside the block becomes one sentence, with advice.

    Raises:
        ComputeError: the memory was not enough.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ComputeError(f"{caller}: there is not enough memory; {advice}.") from error
