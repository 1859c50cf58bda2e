"""How large a photo may be."""

from __future__ import annotations

from pathlib import Path

PIXEL_LIMIT = 128 * 1024**2
"""Photos with more pixels are refused as decompression bombs. Between Pillow's warning (89 million)
and its error (179 million), and above the 102 million of the largest camera sensors sold."""

BYTES_PER_PIXEL = 48
"""What one pixel takes at the peak, from the decoder to the network's input: Pillow's four bytes
twice (turned upright, then flattened), three as an array, and three or four times twelve as
floats."""


def pixel_limit() -> int:
    """How many pixels a photo may have here and now: as many as memory has room for, up to
    `PIXEL_LIMIT`."""
    available = _available_memory()
    return PIXEL_LIMIT if available is None else min(PIXEL_LIMIT, available // BYTES_PER_PIXEL)


def _available_memory() -> int | None:
    """Bytes that can be used without swapping, as Linux estimates them and as a container's limit
    allows; None where neither is known."""
    known = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        known += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit.isdigit():
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            known.append(int(limit) - used)
    except (OSError, ValueError, IndexError):
        pass
    return min(known) if known else None
