"""What a command writes: never over what it reads, and found before the work where it cannot."""

from __future__ import annotations

import errno
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import convscope
from convscope.cli import main
from tests.quick_verbs import SIDE, small_network

ROOT = Path(__file__).parents[2]

RUN = importlib.import_module("convscope.cli.run")
"""The module; the package has a function of that name."""


def test_an_input_is_never_overwritten(folder, capsys):
    Image.new("RGB", (64, 64), "gray").save("a.png")
    before = (folder / "a.png").read_bytes()
    assert main(["explain", "a.png", "--out", "a.png"]) == 2
    assert "would overwrite what is read" in capsys.readouterr().err
    assert (folder / "a.png").read_bytes() == before


def test_two_photos_of_one_name_make_two_pictures(folder, capsys):
    for place, color in (("one", "gray"), ("two", "white")):
        (folder / place).mkdir()
        Image.new("RGB", (64, 64), color).save(folder / place / "cat.png")
        assert main(["explain", f"{place}/cat.png", "--target", "281", "--method", "saliency"]) == 0
    assert capsys.readouterr().out.split() == ["cat-explain.png", "cat-explain-2.png"]


def test_a_link_and_a_mode_are_kept(folder):
    (folder / "real.json").write_text("{}")
    (folder / "real.json").chmod(0o600)
    (folder / "link.json").symlink_to("real.json")
    assert main(["predict", "sample:chelsea", "-o", "link.json"]) == 0
    assert (folder / "link.json").is_symlink()
    assert (folder / "real.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((folder / "real.json").read_text())["verb"] == "predict"


def test_quiet_still_prints_an_answer_that_is_a_table(capsys):
    assert main(["predict", "sample:chelsea", "-q"]) == 0
    assert "tabby" in capsys.readouterr().out


def test_a_picture_to_standard_output(capsysbinary):
    assert main(["explain", "sample:chelsea", "--method", "saliency", "--out", "-"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "chelsea.jpg"], "There is no file chelsea.jpg"),
        (["explain", "sample:chelsea", "--draw", "styl=overlay"], "did you mean 'style'"),
        (
            ["explain", "sample:chelsea", "--out", f"{__file__}/x.png"],
            "cannot be written",
        ),
        (["predict", "sample:chelsea", "--model", "resnet50"], "is timm:resnet50 or torchvision:r"),
    ],
)
def test_found_before_the_work(arguments, sentence, capsys):
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def run_child(*arguments, folder, **options):
    return subprocess.run(
        [sys.executable, "-m", "convscope", *arguments],
        capture_output="stdout" not in options,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        **options,
    )


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["methods"], ["explain", "sample:chelsea"]])
def test_a_full_output_is_one_sentence(arguments, folder):
    with FULL.open("w") as full:
        ended = run_child(*arguments, folder=folder, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 2
    assert ended.stderr.startswith("convscope: Standard output ")
    assert ended.stderr.count("\n") == 1
    assert list(folder.iterdir()) == [], "it is found before the work"


def test_a_closed_output_is_one_sentence(monkeypatch, capsys, folder):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["explain", "sample:chelsea"]) == 2
    assert capsys.readouterr().err == (
        "convscope: Standard output is closed; send it to a file or to /dev/null.\n"
    )
    assert list(folder.iterdir()) == []


EARLY = [
    (["--out", "\udcff.png"], "--out \\udcff.png: the name is not UTF-8"),
    (["--draw", "style=foo"], "style must be panels, overlay or heatmap; 'foo'"),
    (["--draw", "stile=overlay"], "did you mean 'style'"),
    (["--draw", "style"], "--draw is written NAME=VALUE"),
]


@pytest.mark.parametrize(("options", "sentence"), EARLY, ids=lambda case: ascii(case)[:30])
def test_what_is_written_is_checked_before_the_network_is_loaded(
    options, sentence, capsys, folder, monkeypatch
):
    monkeypatch.setattr("convscope.cli.run.load_typed_model", lambda typed: pytest.fail("loaded"))
    assert main(["explain", "sample:chelsea", *options]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["models"], ["predict", "sample:chelsea", "--json"], ["explain", "--help-all"]]
)
def test_a_reader_that_has_read_enough(arguments, folder):
    """`convscope models | head -1`."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        ended = run_child(*arguments, folder=folder, stdout=pipe, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_connection_that_breaks_is_no_reader_that_stops(folder, monkeypatch):
    def broken(*arguments, **options):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(RUN, "load_typed_model", broken)
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # click exchanges it
    with Path("out.txt").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(SystemExit):
            main(["predict", "sample:chelsea"])


def loads_loudly(typed, **options):
    print("Downloading: ...")
    return convscope.load_model(small_network(), size=SIDE)


def test_what_libraries_print_is_no_part_of_the_answer(monkeypatch, capsys):
    """As torch.hub says on standard output what it fetches."""
    monkeypatch.setattr(RUN, "load_typed_model", loads_loudly)
    assert main(["predict", "sample:chelsea", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["verb"] == "predict"
    assert "Downloading" in said.err


def test_what_libraries_print_is_no_part_of_a_picture(monkeypatch, capsysbinary):
    monkeypatch.setattr(RUN, "load_typed_model", loads_loudly)
    assert main(["explain", "sample:chelsea", "--out", "-"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"\x89PNG")


def test_an_empty_name_of_a_network_is_refused(capsys):
    """`--model "$NETWORK"` with a variable that is not set."""
    assert main(["layers", "--model", ""]) == 2
    assert "The name of the model is empty" in capsys.readouterr().err
