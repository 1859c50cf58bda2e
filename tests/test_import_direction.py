"""Imports only point against the flow: image + model -> probe -> method -> result -> picture -> shells."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import convscope

ROOT = Path(convscope.__file__).parent

ORDER = [
    ["errors"],
    ["schema", "files", "progress", "streams", "padam", "adjoint", "heap", "tree"],
    ["registry"],
    ["provenance", "samples", "catalogue"],
    ["image", "layout", "layer"],
    ["forms"],
    ["model"],
    ["models"],
    ["target"],
    ["capture", "rest"],
    ["probe", "relu"],
    ["prepare"],
    ["term"],
    ["parameterizations"],
    ["transforms"],
    ["objectives", "regularizers"],
    ["presets"],
    ["look"],
    ["ascend"],
    ["result"],
    ["attribution"],
    ["picture"],
    ["verb"],
    ["metrics", "techniques"],
    ["api", "benchmark"],
    ["html_report"],
    ["again"],
    ["cli", "atlas", "web"],
    ["demo", "__main__"],
]
"""Left to right; a module may import from its own column and from those before it. `convscope` itself, whose names are
fetched lazily, belongs to the shells."""

COLUMN = {name: place for place, names in enumerate(ORDER) for name in names}


def imports(path: Path) -> set[str]:
    """Every part of convscope that a file imports at any depth, but for what only type checkers read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                kept = [part for part in block if not (isinstance(part, ast.If) and "TYPE_CHECKING" in ast.unparse(part.test))]
                setattr(node, field, kept)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "convscope":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("convscope."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {[*alias.name.split("."), "<root>"][1] for alias in node.names if alias.name.split(".")[0] == "convscope"}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_left(path):
    own = part_of(path)
    assert own in COLUMN, f"{own} has no place in the flow; add it to ORDER"
    for other in imports(path):
        place = COLUMN["cli"] if other == "<root>" else COLUMN.get(other)
        assert place is not None, f"{path.name} imports {other}, which has no place in the flow"
        assert other == own or place < COLUMN[own] or (other == "<root>" and place <= COLUMN[own]) or own == "again", (
            f"{own} imports {other}, to its right"
        )


def test_the_walk_sees_a_wrong_import(tmp_path):
    path = tmp_path / "wrong.py"
    path.write_text("def f():\n    from convscope.cli import main\n    import convscope.results.pictures\n")
    assert imports(path) == {"cli", "picture"}
