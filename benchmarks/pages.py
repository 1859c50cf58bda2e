"""Every page and block of the documentation that holds measured numbers, from the data beside it.

    python -m benchmarks.pages

The benchmarks leave their data in docs/ as JSON or CSV; the pages are made from that and from
nothing else, which `tests/test_numbers.py` checks. To change a number, run its benchmark.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import (
    atlas_table,
    attribution_conclusions,
    attribution_quality,
    audit,
    audit_rate,
    concepts,
    default_layer,
    default_method,
    fooling_quality,
    picture_summary,
    same_score,
    synthesis_quality,
    unit_cards,
)
from benchmarks._page import DOCS, Marks, between, read_data
from benchmarks._speed_data import stored_rows
from benchmarks._speed_page import markdown
from benchmarks.readme import filled
from convscope.core.files import write_whole

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- quality:start -->", "<!-- quality:end -->"
"""Where docs/pictures.md holds its tables."""


WRITTEN: dict[str, list[Marks]] = {
    "README.md": [
        (f"<!-- {name}:start -->", f"<!-- {name}:end -->") for name in ("speed", "attribution")
    ],
    "speed.md": [],
    "atlas.md": [(unit_cards.BEGIN, unit_cards.END), (atlas_table.BEGIN, atlas_table.END)],
    "concepts.md": [],
    "audit.md": [],
    "attribution.md": [
        (module.BEGIN, module.END)
        for module in (attribution_quality, attribution_conclusions, default_method, default_layer)
    ],
    "pictures.md": [(BEGIN, END)],
}
"""Page -> the marks between which it is written from data; without marks all of it is."""


def pages() -> dict[Path, str]:
    """What each of the pages should say."""
    readme, pictures = ROOT / "README.md", DOCS / "pictures.md"
    return {
        readme: filled(readme.read_text()),
        DOCS / "speed.md": speed_page(),
        DOCS / "atlas.md": atlas_page((DOCS / "atlas.md").read_text()),
        DOCS / "concepts.md": concepts.markdown(read_data("concepts")),
        DOCS / "audit.md": audit_page(read_data("audit")),
        DOCS / "attribution.md": attribution_page((DOCS / "attribution.md").read_text()),
        pictures: with_quality(pictures.read_text()),
    }


def speed_page() -> str:
    """docs/speed.md."""
    return markdown(stored_rows(DOCS))


def atlas_page(page: str) -> str:
    """docs/atlas.md with its tables."""
    page = unit_cards.filled(page, read_data("unit_cards"))
    return atlas_table.filled(page, read_data(atlas_table.DATA))


def attribution_page(page: str) -> str:
    """docs/attribution.md with its tables, and what they say."""
    rows = attribution_quality.rows_of(DOCS / "attribution.csv")
    page = attribution_quality.filled(page, rows)
    page = attribution_conclusions.filled(page, rows)
    page = default_method.filled(page, read_data("default_method"))
    return default_layer.filled(page, read_data("default_layer"))


def audit_page(data: dict[str, Any]) -> str:
    """docs/audit.md."""
    head = (
        "# The audit, measured\n\nWhat [`audit`](gallery/audit.md) says of flaws that were planted,"
        " how fast its pass over the photos is, and how much memory it takes.\n"
    )
    return "\n".join([head, audit.markdown(data), audit_rate.markdown(data)]).rstrip() + "\n"


def with_quality(page: str) -> str:
    """docs/pictures.md with its tables."""
    distill, padam = read_data("quality"), read_data("quality_padam")
    same = read_data("same_score")
    sections = [
        picture_summary.conclusions(distill, padam),
        picture_summary.goals(distill["summary"], same["summary"]),
    ]
    for data, preset in ((distill, "distill"), (padam, "padam")):
        sections.append(synthesis_quality.markdown(data["summary"], data["about"], preset))
    sections.append(same_score.markdown(same, "quick"))
    sections.append(fooling_quality.markdown(read_data("fooling")))
    return between(page, BEGIN, END, "\n".join(sections))


if __name__ == "__main__":
    for path, text in pages().items():
        write_whole(path, text.encode())
        print(path.relative_to(ROOT))
