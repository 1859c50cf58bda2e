"""What a reader copies from the README, the site and CONTRIBUTING runs as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convscope
from convscope.cli import main
from convscope.cli.public import VERBS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", *sorted(ROOT.glob("docs/gallery/*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(page.read_text()) if name == language]


def quick(code: str) -> str:
    """The same with two steps: whether it is called rightly does not depend on how many."""
    return re.sub(r"(steps=|--steps )\d+", r"\g<1>2", code)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.stem == "report"))
        for page in PAGES
    ],
)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in blocks(page, "python"):
        exec(compile(quick(code), page.name, "exec"), names)


def test_the_commands_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("convscope ")]
    assert commands
    for line in commands:
        assert main(shlex.split(quick(line), comments=True)[1:]) == 0


def test_every_picture_of_a_page_is_there():
    for page in [*PAGES, *(ROOT / "docs").glob("*.md")]:
        for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / name).is_file(), f"{page.name}: {name}"


def test_the_tests_that_the_promises_name_are_there():
    names = re.findall(r"`(tests/[\w/.]+)`", (ROOT / "docs" / "promises.md").read_text())
    assert names
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_the_numbers_of_the_readme_are_those_of_the_benchmarks():
    from benchmarks.readme import filled

    text = (ROOT / "README.md").read_text()
    assert filled(text) == text, "python -m benchmarks.readme writes them"


def test_the_readme_names_every_verb():
    text = (ROOT / "README.md").read_text()
    assert [name for name in [*VERBS, "live", "atlas"] if f"`{name}`" not in text] == []


@pytest.mark.parametrize("verb", sorted({*VERBS, "live"}.intersection(convscope.__all__)))
def test_every_verb_has_a_page_in_the_gallery(verb):
    """A page that calls it, and that the menu of the site lists."""
    page = (ROOT / "docs" / "gallery" / f"{verb}.md").read_text()
    assert f"convscope.{verb}(" in page or f"convscope {verb} " in page
    assert f"      - {verb}: gallery/{verb}.md\n" in (ROOT / "mkdocs.yml").read_text()


def test_the_recipes_of_contributing_work(tmp_path):
    """Each file of a recipe is put into one copy of the package; then their examples run there."""
    shutil.copytree(
        ROOT / "convscope", tmp_path / "convscope", ignore=shutil.ignore_patterns("__pycache__")
    )
    page = ROOT / "CONTRIBUTING.md"
    uses = []
    for code in blocks(page, "python"):
        first, _, rest = code.partition("\n")
        if first.startswith("# convscope/"):
            path = tmp_path / first.removeprefix("# ")
            assert not path.exists()
            path.write_text(rest)
        else:
            uses.append(code)
    assert len(uses) == 8
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(uses)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
