"""The wheel holds everything that the program needs: data files, stub, pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_runs_without_the_sources(tmp_path):
    """Built from a copy of what is in the repository, installed into an empty folder, run there."""
    source = tmp_path / "source"
    shutil.copytree(
        ROOT / "convscope", source / "convscope", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    wheels, installed = tmp_path / "wheels", tmp_path / "installed"
    python = [sys.executable, "-m"]
    for command in (
        [*python, "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(source)],
        [*python, "pip", "install", "-q", "--no-deps", "--target", str(installed)],
    ):
        extra = [str(next(wheels.glob("*.whl")))] if "pip" in command else []
        done = subprocess.run([*command, *extra], capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(source)
    kept = {str(path.relative_to(ROOT)) for path in (ROOT / "convscope").rglob("*.*")}
    kept = {name for name in kept if "__pycache__" not in name and Path(ROOT, name).is_file()}
    assert {name for name in kept if not (installed / name).is_file()} == set()
    done = subprocess.run(
        [*python, "convscope", "report", "sample:chelsea", "--out", "report.html"],
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "Egyptian cat" in (tmp_path / "report.html").read_text()
