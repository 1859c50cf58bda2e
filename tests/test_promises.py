"""Every promise of the documentation names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<promise>[^|]+) \| (?P<tests>[^|]+) \|$")


def promises() -> dict[str, list[str]]:
    """Each promise with the files it names."""
    lines = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    rows = [match for match in map(ROW.match, lines) if match]
    return {
        row["promise"]: re.findall(r"`([^`]+)`", row["tests"])
        for row in rows
        if row["promise"] not in ("promise", "---")
    }


def test_each_promise_names_its_tests():
    assert len(promises()) >= 13
    for promise, paths in promises().items():
        assert paths, promise
        for path in paths:
            text = (ROOT / path).read_text(encoding="utf-8")
            assert "\ndef test_" in text, f"{promise}: {path} has no test"
