"""Every measured number in the documentation was written there by its benchmark."""

from __future__ import annotations

import re

import pytest

pages_module = pytest.importorskip(
    "benchmarks.pages", reason="the benchmarks are in the repository"
)
PAGES = pages_module.pages()
page_module = pytest.importorskip("benchmarks._page")
RECORD = page_module.record()
"""Pages that a benchmark wrote by itself."""
ANOTHER_DIGIT = str.maketrans("0123456789", "1234567890")
WITHOUT_BENCHMARK = {
    "promises.md": "it tells what is promised, and names the test of each promise",
    "atlas.md": "its rows are typed from what benchmarks.atlas prints, half an hour a row",
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_says_what_its_benchmark_measured(path):
    assert path.read_text() == PAGES[path], (
        f"{path.name} does not say what the data in docs/ say; run python -m benchmarks.pages"
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_number_typed_by_hand_is_noticed(path, monkeypatch):
    """The comparison covers the tables: with another digit in one, the page is another."""
    text = path.read_text()
    places = [match.start(1) for match in re.finditer(r"^\|.*?(\d)\.\d.*\|$", text, re.MULTILINE)]
    if not places:
        pytest.skip("its benchmark has left no data yet")
    changed = text[: places[0]] + str((int(text[places[0]]) + 1) % 10) + text[places[0] + 1 :]
    monkeypatch.setattr(
        type(path), "read_text", lambda self, *_: changed if self == path else _read(self)
    )
    assert pages_module.pages()[path] != changed


@pytest.mark.parametrize("name", RECORD)
def test_the_rows_of_a_page_are_those_that_its_benchmark_wrote(name):
    text = (page_module.DOCS / name).read_text()
    command = RECORD[name]["command"]
    assert page_module.digest(text) == RECORD[name]["rows"], (
        f"a row of docs/{name} is not what python -m {command} wrote; run it again"
    )
    changed = page_module.MEASURED.sub(lambda row: row[0].translate(ANOTHER_DIGIT), text, count=1)
    assert page_module.digest(changed) != RECORD[name]["rows"]


def test_every_page_with_measured_rows_was_written_by_a_benchmark():
    measured = {
        path.name
        for path in page_module.DOCS.glob("*.md")
        if page_module.MEASURED.search(path.read_text())
    }
    # Of atlas.md the table of unit cards alone is written.
    written = set(RECORD) | {path.name for path in PAGES} - set(WITHOUT_BENCHMARK)
    assert measured - written == set(WITHOUT_BENCHMARK)


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
