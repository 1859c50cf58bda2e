"""What an atlas verb returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from convscope.results.documents import to_html


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

    def __repr__(self) -> str:
        return f"<Summary: {self.sentence}>"

    def _repr_html_(self) -> str:
        return to_html(None, self.table, self.sentence)

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
