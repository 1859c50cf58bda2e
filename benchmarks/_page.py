"""Pages of the documentation whose tables a benchmark writes, and the record of what it wrote.

docs/measured.json has a digest of each page's measured rows as the benchmark left them, and the
command; `tests/test_numbers.py` fails where a row says something else.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TypedDict

from convscope.core.files import write_whole

DOCS = Path(__file__).parent.parent / "docs"
RECORD = DOCS / "measured.json"
MEASURED = re.compile(r"^\|.*\d\.\d.*\|$", re.MULTILINE)
"""A row of a table with a decimal number."""


class Written(TypedDict):
    """What wrote the measured rows of a page, and their digest."""

    command: str
    rows: str


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with `text` between the lines `begin` and `end`.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last):
        raise ValueError(f"The page lacks {begin if not first else end}.")
    return f"{before}{begin}\n\n{text.rstrip()}\n\n{end}{after}"


def write_measured(path: Path, text: str, command: str) -> None:
    """Write a page with numbers just measured by `python -m COMMAND`; where it belongs to the
    documentation, its rows are recorded."""
    write_whole(path, text.encode())
    if path.resolve().parent == DOCS:
        written = {**record(), path.name: Written(command=command, rows=digest(text))}
        write_whole(RECORD, json.dumps(written, indent=1, sort_keys=True).encode() + b"\n")


def record() -> dict[str, Written]:
    """What wrote the measured rows of which page."""
    if not RECORD.is_file():
        return {}
    written: dict[str, Written] = json.loads(RECORD.read_text())
    return written


def digest(text: str) -> str:
    """SHA-256 of a page's measured rows."""
    return hashlib.sha256("\n".join(MEASURED.findall(text)).encode()).hexdigest()
