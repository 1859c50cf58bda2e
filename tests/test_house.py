"""The size of the house: rooms, files, functions, and how much of it is typed as anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "convscope"
FILES = sorted(PACKAGE.rglob("*.py"))
BENCHMARKS = sorted((PACKAGE.parent / "benchmarks").rglob("*.py"))

MAX_FILE_LINES = 300

MAX_FUNCTION_LINES = 60
"""Without the docstring."""

MAX_ANY = 57
"""Each stands where foreign code gives a value, or anything may come."""


def functions(tree: ast.AST) -> list[tuple[str, int]]:
    """Name and number of lines, without the docstring, of each function."""
    sizes = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            sizes.append((node.name, lines))
    return sizes


STILL_LONG = {("attribution_quality.py", "main"), ("same_score.py", "main")}
"""Functions of benchmarks that are still to be split."""


@pytest.mark.parametrize(
    "path", [*FILES, *BENCHMARKS], ids=lambda path: str(path.relative_to(PACKAGE.parent))
)
def test_files_and_functions_are_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    tree = ast.parse(text)
    for function, lines in functions(tree):
        if path not in BENCHMARKS or (path.name, function) not in STILL_LONG:
            assert lines <= MAX_FUNCTION_LINES, function
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            assert not (isinstance(node.func, ast.Name) and node.func.id == "eval")
            assert ast.unparse(node.func) != "Registry.of"


def test_few_rooms():
    """A room is a folder at the top of the package, or a file that stands alone there."""
    rooms = {path.relative_to(PACKAGE).parts[0] for path in FILES} - {"__init__.py", "__main__.py"}
    assert len(rooms) <= 20
    assert {room for room in rooms if room.endswith(".py")} == {"errors.py"}


def test_few_annotations_are_any():
    actual = sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
    )
    assert actual <= MAX_ANY


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_another_folder_imports_has_no_underscore(path):
    folder = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = node.module.split(".")
            names = [*modules, *(alias.name for alias in node.names)]
            for place, name in enumerate(names[: len(modules) + 1]):
                if modules[0] == PACKAGE.name and name.startswith("_") and name[:2] != "__":
                    assert names[:place] == folder[:place], node.module
