"""What an atlas verb says when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """One sentence, a table, and the numbers in them. `ok` is False where something is left to
    mend."""

    sentence: str
    table: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    ok: bool = True
    stopped: bool = False

    def __str__(self) -> str:
        return self.sentence

    def __getitem__(self, name: str) -> Any:
        return self.details[name]

    def json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {
            "sentence": self.sentence,
            "table": self.table,
            "details": self.details,
            "ok": self.ok,
            "stopped": self.stopped,
        }


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def amount(size: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def many(count: int, word: str) -> str:
    """A count with its word: 1 unit, 2 units."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
