"""The part of a photo that was asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Mark:
    """A box (x1, y1, x2, y2) or a pixel (x, y), in pixels of the photo; the places of a mask stand
    in `result["mask"]` (n h w)."""

    kind: Literal["box", "pixel", "mask"]
    corners: tuple[float, ...] = ()
