"""What an atlas verb returns, and numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Summary:
    """One sentence, a table, and the numbers in them. `ok` is False where something is left to
    mend, `stopped` is True where Ctrl-C ended the work early."""

    sentence: str
    table: Sequence[Mapping[str, object]] = field(default_factory=list)
    details: Mapping[str, object] = field(default_factory=dict)
    ok: bool = True
    stopped: bool = False

    def __str__(self) -> str:
        return self.sentence

    def __getitem__(self, name: str) -> object:
        return self.details[name]

    def json(self) -> dict[str, object]:
        """All of it as a JSON object."""
        return {
            "sentence": self.sentence,
            "table": self.table,
            "details": self.details,
            "ok": self.ok,
            "stopped": self.stopped,
        }


def format_duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def format_bytes(size: float) -> str:
    """Bytes up to gigabytes."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def pluralize(count: int, noun: str) -> str:
    """A count with its noun: 1 unit, 2 units."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
