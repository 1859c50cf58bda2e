"""The arrays that a `Result` keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Array: TypeAlias = NDArray[np.float32]
"""Numbers of a verb."""

Pixels: TypeAlias = NDArray[np.uint8]
"""A photo, `h w c`."""


def to_numpy(tensor: Tensor) -> Array:
    """A tensor as a contiguous float32 array on the CPU."""
    return tensor.detach().float().cpu().contiguous().numpy()
