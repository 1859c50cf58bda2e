"""Tensors as a `Result` keeps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor as a contiguous float32 array on the CPU."""
    return tensor.detach().float().cpu().contiguous().numpy()
