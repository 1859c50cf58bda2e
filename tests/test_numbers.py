"""Every measured number in the documentation was written there by its benchmark."""

from __future__ import annotations

import re

import pytest

pages_module = pytest.importorskip(
    "benchmarks.pages", reason="the benchmarks are in the repository"
)
PAGES = pages_module.pages()


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


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
