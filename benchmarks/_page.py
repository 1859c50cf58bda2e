"""Pages of the documentation whose numbers a benchmark writes, and the record of what it wrote.

Where a benchmark leaves its data in docs/ (`write_data`), `benchmarks.pages` writes the page from
it. Where it writes into a page directly (`write_measured`), docs/measured.json keeps the command
and a digest of all that it wrote: the text between its marks, or the whole page.
`tests/test_numbers.py` fails where a page says something else.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypedDict

from convscope.core.files import write_whole

DOCS = Path(__file__).parent.parent / "docs"
RECORD = DOCS / "measured.json"
Marks = tuple[str, str]
"""The lines between which a page holds what a benchmark writes."""


class Written(TypedDict):
    """What wrote a part of a page, where it stands (without marks it is the whole page), and the
    SHA-256 of the text."""

    page: str
    command: str
    marks: list[str]
    digest: str


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with `text` between the lines `begin` and `end`.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, _, after = parts(page, begin, end)
    return f"{before}{begin}\n\n{text.rstrip()}\n\n{end}{after}"


def parts(page: str, begin: str, end: str) -> tuple[str, str, str]:
    """What stands before, between and after two marks.

    Raises:
        ValueError: the page lacks a mark.
    """
    before, first, following = page.partition(begin)
    inner, last, after = following.partition(end)
    if not (first and last):
        raise ValueError(f"The page lacks {begin if not first else end}.")
    return before, inner, after


def write_measured(path: Path, text: str, command: str, marks: Marks | None = None) -> None:
    """Write a page with numbers just measured by `python -m COMMAND`, and record its digest where
    the page belongs to the documentation.

    Args:
        path: the page.
        text: the whole page.
        command: what measured the numbers.
        marks: the lines between which they stand; without them the whole page is recorded.
    """
    write_whole(path, text.encode())
    if path.resolve().parent == DOCS:
        lines = list(marks or ())
        written = Written(page=path.name, command=command, marks=lines, digest=digest(text, lines))
        others = [
            entry for entry in record() if (entry["page"], entry["marks"]) != (path.name, lines)
        ]
        entries = sorted([*others, written], key=lambda entry: (entry["page"], entry["marks"]))
        write_whole(RECORD, json.dumps(entries, indent=1).encode() + b"\n")


def record() -> list[Written]:
    """What wrote which part of which page."""
    written: list[Written] = json.loads(RECORD.read_text())
    return written


def digest(page: str, marks: list[str]) -> str:
    """SHA-256 of what stands between the marks, or of the whole page."""
    text = parts(page, *marks)[1] if marks else page
    return hashlib.sha256(text.encode()).hexdigest()


def read_data(name: str) -> Any:
    """What a benchmark left in docs/NAME.json."""
    return json.loads((DOCS / f"{name}.json").read_text())


def write_data(name: str, data: object) -> None:
    """Leave what was measured in docs/NAME.json."""
    write_whole(DOCS / f"{name}.json", (json.dumps(data, indent=1) + "\n").encode())
