"""Every page and block of the documentation that holds measured numbers, from the data beside it.

    python -m benchmarks.pages

The benchmarks leave their data in docs/ as JSON or CSV; the pages are made from that and from
nothing else, which `tests/test_numbers.py` checks. To change a number, run its benchmark.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import (
    attribution_quality,
    audit,
    audit_rate,
    concepts,
    fooling_quality,
    same_score,
    synthesis_quality,
    unit_cards,
)
from benchmarks._page import between
from benchmarks._speed_data import stored_rows
from benchmarks._speed_page import markdown
from benchmarks.readme import filled
from convscope.core.files import write_whole

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BEGIN, END = "<!-- quality:start -->", "<!-- quality:end -->"
"""Where docs/pictures.md holds its tables."""


def pages() -> dict[Path, str]:
    """What each of the pages should say."""
    readme, attribution = ROOT / "README.md", DOCS / "attribution.md"
    pictures = DOCS / "pictures.md"
    rows = attribution_quality.rows_of(DOCS / "attribution.csv")
    return {
        readme: filled(readme.read_text()),
        DOCS / "speed.md": speed_page(),
        DOCS / "atlas.md": unit_cards.filled((DOCS / "atlas.md").read_text(), read("unit_cards")),
        DOCS / "concepts.md": concepts.markdown(read("concepts")),
        DOCS / "audit.md": audit_page(read("audit")),
        attribution: attribution_quality.filled(attribution.read_text(), rows),
        pictures: with_quality(pictures.read_text()),
    }


def speed_page() -> str:
    """docs/speed.md."""
    return markdown(stored_rows(DOCS))


def audit_page(data: dict[str, Any]) -> str:
    """docs/audit.md."""
    head = (
        "# The audit, measured\n\nWhat [`audit`](gallery/audit.md) says of flaws that were planted,"
        " how fast its pass over the photos is, and how much memory it takes.\n"
    )
    return "\n".join([head, audit.markdown(data), audit_rate.markdown(data)]).rstrip() + "\n"


def with_quality(page: str) -> str:
    """docs/pictures.md with the tables of those benchmarks of quality that have left their data."""
    parts = []
    for name, preset in (("quality", "distill"), ("quality_padam", "padam")):
        if (DOCS / f"{name}.json").is_file():
            data = read(name)
            parts.append(synthesis_quality.markdown(data["summary"], data["about"], preset))
    if (DOCS / "same_score.json").is_file():
        parts.append(same_score.markdown(read("same_score"), "quick"))
    if (DOCS / "fooling.json").is_file():
        parts.append(fooling_quality.markdown(read("fooling")))
    return between(page, BEGIN, END, "\n".join(parts))


def read(name: str) -> dict[str, Any]:
    """The data that a benchmark left."""
    data: dict[str, Any] = json.loads((DOCS / f"{name}.json").read_text())
    return data


if __name__ == "__main__":
    for path, text in pages().items():
        write_whole(path, text.encode())
        print(path.relative_to(ROOT))
