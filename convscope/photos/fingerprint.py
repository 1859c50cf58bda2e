"""What a provenance knows a photo by, and what a result keeps of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Known:
    """An image, held so that no other one gets its id, and what was found out about it."""

    image: Tensor
    digest: str
    levels: Tensor


_known: ContextVar[dict[int, _Known] | None] = ContextVar("known", default=None)
"""Inside `fingerprints_kept`: images by their id."""


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
    return _look_up(image).digest


def to_8_bit(image: Tensor) -> Tensor:
    """The nearest of 256 levels of each value of an image (n c h w in [0, 1]): uint8, on the
    CPU."""
    return _look_up(image).levels


def _look_up(image: Tensor) -> _Known:
    known = _known.get()
    if known is None:
        return _read(image)
    if id(image) not in known:
        known[id(image)] = _read(image)
    return known[id(image)]


def _read(image: Tensor) -> _Known:
    planes = image.detach().cpu().float().flatten(0, 1)
    levels = torch.empty(planes.shape, dtype=torch.uint8, device="cpu")
    is_8_bit = True
    for level, plane in zip(levels, planes, strict=True):
        level.copy_(plane.mul(255).round_().clamp_(0, 255))
        is_8_bit = is_8_bit and bool(torch.equal(level.float().div_(255), plane))
    digest = hashlib.sha256(repr(tuple(image.shape)).encode())
    for plane in levels if is_8_bit else planes:
        digest.update(plane.contiguous().numpy())
    return _Known(image, digest.hexdigest(), levels.view(image.shape))
