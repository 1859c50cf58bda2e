"""What a fresh interpreter loads, and that a method is one file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convscope
from convscope.cli.public import VERBS, doc_of, schema_of

ROOT = Path(convscope.__file__).parent

LOADED = "import sys, json; {}; print(json.dumps([name for name in {} if name in sys.modules]))"

SLOW = ("torch", "numpy", "PIL", "matplotlib", "pydantic")
"""What takes longer to import than it takes to print a help text."""


def run(code: str, folder: Path | None = None) -> str:
    """Run in `folder`, whose modules come before the installed ones."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import convscope",
        "import convscope; dir(convscope)",
        "from convscope.cli import main; assert main(['--help']) == 0",
        "from convscope.cli import main; assert main(['explain', '--help']) == 0",
        "from convscope.cli import main; assert main(['presets']) == 0",
        "from convscope.cli import main; assert main(['predict', 'no.jpg']) == 2",
        "from convscope.cli import main; assert main(['nonsense']) == 2",
    ],
)
def test_loads_no_torch(statement):
    assert json.loads(run(LOADED.format(statement, SLOW)).splitlines()[-1]) == []


def test_the_list_of_verbs_needs_no_types():
    statement = "from convscope.cli import main; assert main(['--help']) == 0"
    needless = ("annotated_types", "typing_extensions", "tomllib", "convscope.core.ranges")
    assert json.loads(run(LOADED.format(statement, needless)).splitlines()[-1]) == []


def test_a_docstring_read_alone_is_the_one_of_the_schema():
    for name in [*VERBS, "live"]:
        assert doc_of(name) == schema_of(name).doc
        assert doc_of(name)


def test_all_is_sorted_and_complete():
    assert convscope.__all__ == sorted(convscope.__all__)
    for name in convscope.__all__:
        assert getattr(convscope, name) is not None


TOY = '''from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input")
def toy(probe: Probe, image: Tensor, target: Target, *, strength: float = 2.0) -> Tensor:
    """Shows the image itself, {strength} times as bright (nobody, 2026).

    Signed, n c h w, at the input's resolution.

    Args:
        strength: how bright the toy is.

    Example:
        convscope.explain(model, "cat.jpg", method="toy")
    """
    return image * strength
'''

USE = """
import numpy as np, torch
import convscope
from convscope.cli import main
assert convscope.__file__.startswith({folder!r}), convscope.__file__
from torch import nn
network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
model = convscope.load_model(network, size=8)
photo = np.full((8, 8, 3), 0.25, dtype=np.float32)
assert np.allclose(convscope.explain(model, photo, method="toy")["attribution"], 0.5)
assert np.allclose(convscope.explain(model, photo, method="toy", strength=4.0)["attribution"], 1.0)
main(["explain", "--help-all"])
"""


def test_a_method_is_one_file(tmp_path):
    """A new file in a copy of the package appears in the API, in the CLI's help and in the contract
    tests."""
    shutil.copytree(ROOT, tmp_path / "convscope", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "convscope" / "attribution" / "toy.py").write_text(TOY)
    printed = run(USE.format(folder=str(tmp_path)), tmp_path)
    assert "--strength" in printed
    assert "how bright the toy is" in " ".join(printed.split())
    tests = Path(__file__).parent
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-o",
            "pythonpath=",
            "-k",
            "toy",
            str(tests / "contract"),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{tests.parent}"},
        cwd=tmp_path,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
