"""How much memory is free."""

from __future__ import annotations

from pathlib import Path


def available_memory() -> int | None:
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
