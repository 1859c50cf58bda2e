"""What a provenance knows a photo by."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def fingerprint(image: Tensor) -> str:
    """SHA-256 of an image's shape and pixels (n c h w in [0, 1]): what a provenance knows a photo
    by.

    Pixels that came from 8 bits count as these, any others as 32-bit floats. The planes are hashed
    one by one, since a photo may fill much of the memory.
    """
    planes = image.detach().cpu().float().flatten(0, 1)
    levels = [_to_8_bit(plane) for plane in planes]
    is_8_bit = all(
        bool(torch.equal(level.float() / 255, plane))
        for level, plane in zip(levels, planes, strict=True)
    )
    digest = hashlib.sha256(repr(tuple(image.shape)).encode())
    for plane in levels if is_8_bit else planes:
        digest.update(plane.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _to_8_bit(plane: Tensor) -> Tensor:
    return plane.mul(255).round().clamp(0, 255).to(torch.uint8)
