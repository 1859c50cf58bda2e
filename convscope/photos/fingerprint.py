"""What a provenance knows a photo by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_known: ContextVar[dict[int, tuple[Tensor, str]] | None] = ContextVar("known", default=None)
"""Inside `fingerprints_kept`: images by their id, held so that no other one gets it, with their
fingerprints."""


@contextmanager
def fingerprints_kept() -> Iterator[None]:
    """Inside the block, which is one call of a verb, an image is hashed once: for its provenance
    and for whatever is kept of it."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def fingerprint(image: Tensor) -> str:
    """SHA-256 of an image's shape and pixels (n c h w in [0, 1]): what a provenance knows a photo
    by.

    Pixels that came from 8 bits count as these, any others as 32-bit floats. The planes are hashed
    one by one, since a photo may fill much of the memory.
    """
    known = _known.get()
    if known is None:
        return _digest(image)
    if id(image) not in known:
        known[id(image)] = image, _digest(image)
    return known[id(image)][1]


def _digest(image: Tensor) -> str:
    planes = image.detach().cpu().float().flatten(0, 1)
    levels = [_to_8_bit(plane) for plane in planes]
    is_8_bit = all(
        bool(torch.equal(level.float().div_(255), plane))
        for level, plane in zip(levels, planes, strict=True)
    )
    digest = hashlib.sha256(repr(tuple(image.shape)).encode())
    for plane in levels if is_8_bit else planes:
        digest.update(plane.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _to_8_bit(plane: Tensor) -> Tensor:
    return plane.mul(255).round_().clamp_(0, 255).to(torch.uint8)
