"""Times, sizes and counts as people read them."""

from __future__ import annotations


def format_duration(seconds: float) -> str:
    """Seconds, minutes, hours or days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:,.0f} days"


def format_bytes(size: float) -> str:
    """Bytes up to terabytes."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB" if size < 1000 else f"{size / 1000:,.1f} TB"


def pluralize(count: int, noun: str) -> str:
    """A count with its noun: 1 unit, 2 units."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
