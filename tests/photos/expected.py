"""A small photo, and photos as the tensors that they are read as."""

from __future__ import annotations

import numpy as np
import torch

DATA = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """uint8 h w c as float 1 c h w."""
    return torch.tensor(array.transpose(2, 0, 1)[None] / 255, dtype=torch.float32)
