"""How large a photo may be."""

from __future__ import annotations

from convscope.core.memory import available_memory

PIXEL_LIMIT = 128 * 1024**2
"""Photos with more pixels are refused as decompression bombs. Between Pillow's warning (89 million)
and its error (179 million), and above the 102 million of the largest camera sensors sold."""

BYTES_PER_PIXEL = 48
"""What one pixel takes at the peak, from the decoder to the network's input: Pillow's four bytes
twice (turned upright, then flattened), three as an array, and three or four times twelve as
floats."""


UNCHECKED_PIXELS = 1 << 16
"""A photo of so few pixels, which take 3 MB, is read without asking the system for its free
memory."""


def pixel_limit(pixels: int) -> int:
    """How many pixels a photo may have here and now, where it has so many: as many as memory has
    room for, up to `PIXEL_LIMIT`."""
    if pixels <= UNCHECKED_PIXELS:
        return PIXEL_LIMIT
    available = available_memory()
    return PIXEL_LIMIT if available is None else min(PIXEL_LIMIT, available // BYTES_PER_PIXEL)
