"""`convscope atlas ...` in one process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import convscope.cli.run  # noqa: F401
import convscope.networks.load as models
from convscope.atlas import verbs
from convscope.cli import main
from convscope.core.docstring import command_lines
from tests.small_atlas import small_model


@pytest.fixture(autouse=True)
def one_model(monkeypatch, tmp_path):
    monkeypatch.setattr(
        sys.modules["convscope.cli.run"], "load_typed_model", lambda given: small_model()
    )
    monkeypatch.chdir(tmp_path)
    return models


def test_a_whole_atlas(photos, capsys):
    build = [
        "atlas",
        "build",
        "--layers",
        "third,head",
        "--out",
        "a",
        "--steps",
        "2",
        "--size",
        "16",
    ]
    assert main([*build, "--dry-run"]) == 0
    assert "17 units" in capsys.readouterr().out
    assert main(build) == 0
    printed = capsys.readouterr()
    assert "17 made" in printed.out
    assert "atlas: units: 17 of 17" in printed.err  # a log has its lines
    assert (
        main(
            [
                "atlas",
                "examples",
                "--images",
                str(photos),
                "-o",
                "a",
                "--layers",
                "third",
                "--layers",
                "head",
                "--k",
                "2",
                "-q",
            ]
        )
        == 0
    )
    assert capsys.readouterr().err == ""
    assert main(["atlas", "ls", "a", "--json"]) == 0
    assert [row["layer"] for row in json.loads(capsys.readouterr().out)["table"]] == [
        "third",
        "head",
    ]
    assert main(["atlas", "show", "a", "third:6", "-o", "pictures"]) == 0
    assert "distill, 2 steps" in capsys.readouterr().out
    assert main(["atlas", "verify", "a"]) == 0
    assert main(["atlas", "compact", "a"]) == 0
    capsys.readouterr()


def test_what_is_damaged_is_said_and_mended(capsys, tmp_path):
    assert (
        main(
            [
                "atlas",
                "build",
                "--layers",
                "head",
                "--out",
                "a",
                "--steps",
                "2",
                "--size",
                "16",
                "-q",
            ]
        )
        == 0
    )
    part = next((tmp_path / "a").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    capsys.readouterr()
    assert main(["atlas", "verify", "a"]) == 2
    assert "1 file damaged" in capsys.readouterr().err
    assert main(["atlas", "show", "a", "head:0"]) == 2
    assert "is damaged; run convscope atlas verify a --remove" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["atlas", "buidl"], "did you mean 'build'"),
        (["atlas", "build", "--layers", "head"], "Missing option"),
        (
            ["atlas", "build", "--layers", "tird", "--out", "a"],
            "no layer 'tird'; did you mean 'third'",
        ),
        (["atlas", "ls", "nowhere"], "no atlas at nowhere"),
        (
            ["atlas", "build", "--layers", "head", "--out", "a", "--batch", "many"],
            "batch must be an integer",
        ),
        (["atlas", "examples", "--images", "nowhere", "--out", "a"], "no photos at nowhere"),
    ],
)
def test_errors(words, sentence, capsys):
    assert main(words) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1


def test_help_is_complete(capsys):
    assert main(["--help"]) == 0
    assert "atlas" in capsys.readouterr().out
    assert main(["atlas", "--help"]) == 0
    shown = capsys.readouterr().out
    for name, schema in verbs().items():
        assert (name in shown) == bool(command_lines(schema.doc))
        for parameter in schema.parameters:
            assert parameter.help, f"{name}: {parameter.name} has no line in Args:"
        if command_lines(schema.doc):
            assert main(["atlas", name, "--help"]) == 0
            assert schema.summary.split()[0] in capsys.readouterr().out


def test_a_file_is_a_verb(tmp_path, monkeypatch):
    """atlas/map.py with a function `map` whose docstring shows a command line needs no other
    file."""
    import convscope.atlas as package

    folder = tmp_path / "atlas"
    folder.mkdir()
    (folder / "map.py").write_text(
        'def map(directory: str) -> None:\n    """Draw.\n\n    Example:\n        $ convscope atlas'
        ' map atlas/\n    """\n'
    )
    (folder / "_plumbing.py").write_text("def _plumbing() -> None: ...\n")
    (folder / "site.py").write_text("def page() -> None: ...\n")
    monkeypatch.setattr(package, "__file__", str(folder / "__init__.py"))
    assert list(verbs()) == ["map"]


def test_nothing_heavy_is_loaded_for_help():
    code = (
        "import sys\nfrom convscope.cli import main\nfrom convscope import atlas\nassert"
        " main(['atlas', 'build', '--help']) == 0\nprint([name for name in ('torch', 'pyarrow',"
        " 'fsspec', 'ray', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["atlas", "ls", "a"]) == 2
    assert "pip install 'convscope[atlas]'" in capsys.readouterr().err
