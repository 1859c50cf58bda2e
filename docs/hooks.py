"""The reference of a kind lists the files of its folder: a new method needs no edit here."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "convscope"
KIND = re.compile(r"^<!-- kind: ([\w.]+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put one entry for each registered function where the page names the folder."""

    def entries(match: re.Match[str]) -> str:
        folder = PACKAGE.joinpath(*match[1].split("."))
        names = sorted(
            path.stem
            for path in folder.glob("*.py")
            if not path.stem.startswith("_") and f"\ndef {path.stem}(" in path.read_text()
        )
        return "\n\n".join(f"::: convscope.{match[1]}.{name}.{name}" for name in names)

    return KIND.sub(entries, markdown)
