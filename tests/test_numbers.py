"""Every measured number in the README and in docs/*.md was written there by its benchmark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import (
    _page,
    attribution_conclusions,
    attribution_quality,
    default_layer,
    picture_summary,
)
from benchmarks.pages import ROOT, WRITTEN, pages

PAGES = pages()
RECORD = _page.record()
"""Parts of pages that a benchmark wrote by itself."""
ALL = [ROOT / "README.md", *sorted(_page.DOCS.glob("*.md"))]
ANOTHER_DIGIT = str.maketrans("0123456789", "1234567890")
COMMAND = re.compile(r"python -m benchmarks\.(\w+)")
MEASURED = re.compile(
    r"\d\.\d|\d ?%|\b\d+ of \d"
    r"|\b\d[\d,]* ?(ms|s|seconds|minutes|min|hours|[KMG]i?B|x|times|forwards)\b"
)
"""What may have been measured: a decimal number, a percentage, a count of a count, a quantity."""

SETTINGS = {
    "README.md": ("Python 3.11 or newer", "chance: 25 %", "less than 1 x", "Apache-2.0"),
    "atlas.md": ("at least 0.04", "Below 95 %"),
    "attribution.md": (
        "chance: 0.25",
        "1.5 and 2 times its size",
        "2 x 2 photos",
        "7 x 7 places",
        "14 x 14 has not",
    ),
    "ideas.md": ("1.00 is nothing", "1 x 1 convolutions"),
    "live.md": (
        "127.0.0.1",
        "24 MB",
        "within 15 seconds",
    ),
    "networks.md": (
        "64 x 64 pixels",
        "onnx2torch 1.5.15 | 3 of 23",
        "onnx2pytorch 0.6.0 | 11 of 23",
        "onnx2pytorch 0.6.0, with constants and copied weights folded first, as here | 23 of 23",
    ),
    "promises.md": ("0.2 in some pixels, 0.2 % of the score after 48",),
}
"""Page -> numbers outside the written parts that nobody measured: limits, chances and sizes that
the program sets and other tests hold."""


def parts_of(path: Path) -> list[list[str]]:
    """The marks of all written parts of a page; an empty list of marks is the whole page."""
    parts = [entry["marks"] for entry in RECORD if entry["page"] == path.name]
    if path.name in WRITTEN:
        parts += [list(marks) for marks in WRITTEN[path.name]] or [[]]
    return parts


def changed(text: str, marks: list[str]) -> str:
    """The page with other digits in a written part."""
    if not marks:
        return text.translate(ANOTHER_DIGIT)
    before, inner, after = _page.parts(text, *marks)
    return f"{before}{marks[0]}{inner.translate(ANOTHER_DIGIT)}{marks[1]}{after}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_says_what_its_benchmark_measured(path):
    assert path.read_text() == PAGES[path], (
        f"{path.name} does not say what the data in docs/ say; run python -m benchmarks.pages"
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_number_changed_by_hand_is_noticed(path, monkeypatch):
    """Whatever stands in a written part, the data give the page as it is."""
    text = read(path)
    typed = text
    for marks in [list(marks) for marks in WRITTEN[path.name]] or [[]]:
        typed = changed(typed, marks)
    assert typed != text
    monkeypatch.setattr(
        type(path), "read_text", lambda self, *_: typed if self == path else read(self)
    )
    assert pages()[path] == text


def test_the_pages_are_those_whose_parts_are_listed():
    assert {path.name for path in PAGES} == set(WRITTEN)


@pytest.mark.parametrize("entry", RECORD, ids=lambda entry: entry["page"])
def test_a_recorded_part_is_what_its_benchmark_wrote(entry):
    text, marks = (_page.DOCS / entry["page"]).read_text(), entry["marks"]
    assert _page.digest(text, marks) == entry["digest"], (
        f"docs/{entry['page']} is not what python -m {entry['command']} wrote; run it again"
    )
    lines = text.splitlines()
    begin, end = (lines.index(mark) for mark in marks) if marks else (0, len(lines))
    numbered = [place for place in range(begin, end) if re.search(r"\d", lines[place])]
    assert numbered
    for place in numbered:
        line = lines[place].translate(ANOTHER_DIGIT)
        other = "\n".join([*lines[:place], line, *lines[place + 1 :]]) + "\n"
        assert _page.digest(other, marks) != entry["digest"], f"not noticed: {line}"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_no_number_outside_the_written_parts_was_measured(path):
    text = path.read_text()
    for marks in parts_of(path):
        text = "".join(_page.parts(text, *marks)[::2]) if marks else ""
    for setting in SETTINGS.get(path.name, ()):
        assert setting in text, f"{setting!r} no longer stands in {path.name}"
        text = text.replace(setting, "")
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    prose = [re.sub(r"`[^`]*`", "", line) for line in prose]
    typed = [
        line
        for line in prose
        if MEASURED.search(line)
        or (line.startswith("|") and re.search(r"\|\s*\d[\d.,]*\s*\|", line))
    ]
    assert not typed, "numbers that no benchmark wrote:\n" + "\n".join(typed)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_a_page_names_the_commands_that_write_it(path):
    named = set(COMMAND.findall(path.read_text()))
    for name in named:
        assert (ROOT / "benchmarks" / f"{name}.py").is_file(), f"there is no benchmark {name}"
    recorded = [entry["command"] for entry in RECORD if entry["page"] == path.name]
    for command in recorded:
        assert command.split()[0].removeprefix("benchmarks.") in named
    if path.name in WRITTEN and path.name != "speed.md":
        assert named


CLAIMS = {
    **attribution_conclusions.claims(attribution_quality.rows_of(_page.DOCS / "attribution.csv")),
    **default_layer.claims(_page.read_data("default_layer")),
    **picture_summary.claims(_page.read_data("quality"), _page.read_data("quality_padam")),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_page_says_of_its_numbers_holds(claim):
    assert CLAIMS[claim], f"not so: {claim}; write its sentence anew"


def read(path: Path) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
