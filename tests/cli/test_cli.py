"""The command line in one process: what it prints, what it writes, and the one sentence when it
cannot."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.cli import main
from convscope.cli.public import ALIASES, VERBS
from convscope.results.png import read_provenance

ROOT = Path(__file__).parents[2]


def test_predict(capsys):
    assert main(["predict", "sample:chelsea", "--top", "3"]) == 0
    printed = capsys.readouterr()
    assert "tiger cat" in printed.out
    assert printed.err == ""


def test_json(capsys):
    assert main(["predict", "sample:chelsea", "--top", "3", "--json"]) == 0
    actual = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in actual["table"]} == {"tiger cat", "Egyptian cat", "tabby"}
    assert actual["provenance"]["photos"][0]["path"] == "sample:chelsea"


def test_explain_writes_a_picture_and_says_where(capsys, folder):
    assert (
        main(
            [
                "explain",
                "sample:chelsea",
                "--target",
                "Egyptian cat",
                "--draw",
                "style=overlay",
                "-o",
                "x.png",
            ]
        )
        == 0
    )
    printed = capsys.readouterr()
    assert printed.out == "x.png\n"
    assert re.fullmatch(r"Egyptian cat \(\d\d\.\d%\): finer_cam at bn2\n", printed.err)
    with Image.open("x.png") as picture:
        assert picture.size == (451, 300)
    assert read_provenance("x.png")["arguments"]["target"] == "Egyptian cat"
    assert main(["rerun", "x.png", "-o", "y.png"]) == 0
    assert (folder / "x.png").read_bytes() == (folder / "y.png").read_bytes()


def test_npz_has_the_numbers(capsys, embedded):
    assert main(["explain", "sample:chelsea", "--method", "saliency", "-o", "x.npz"]) == 0
    assert np.array_equal(
        convscope.Result.load("x.npz")["heatmap"],
        convscope.explain(embedded, "sample:chelsea", method="saliency")["heatmap"],
    )


def test_layers(capsys):
    assert main(["layers", "--match", "blocks.?"]) == 0
    printed = capsys.readouterr().out
    assert "blocks.6" in printed
    assert "320 x 7 x 7" in printed
    assert "4,652,008 parameters" in printed


BAD = [
    (["predict"], "Missing argument 'PHOTO"),
    (["predict", "nowhere.jpg"], "no file nowhere.jpg"),
    (["explain", "sample:chelsea", "--method", "gradcam"], "did you mean 'grad_cam'"),
    (["explain", "sample:chelsea", "--layer", "blocks.33"], "did you mean 'blocks.3'"),
    (["explain", "sample:chelsea", "--target", "zebraa"], "did you mean 'zebra'"),
    (["explain", "sample:chelsea", "--seed", "x"], "seed must be an integer"),
    (["explain", "sample:chelsea", "--samples", "3"], "The default method has no option --samples"),
    (
        ["explain", "sample:chelsea", "-o", "x.bmp"],
        "must end in .png or .jpg or .jpeg or .pdf or .svg or .gif or .webp or .npz or .json or",
    ),
    (
        ["concepts", "sample:chelsea", "-o", "x.gif"],
        "moving picture of snapshots; concepts makes none",
    ),
    (
        ["visualize", "blocks.2:0", "-o", "x.webp"],
        "moving picture of snapshots; add --snapshots 1,",
    ),
    (["explain", "sample:chelsea", "-o", "x.safetensors"], "and explain learns none"),
    (
        ["explain", "sample:chelsea", "--draw", "color=red"],
        "has an option 'color'; did you mean 'colors'",
    ),
    (["explain", "sample:nobody"], "no sample photo"),
    (["predict", "sample:chelsea", "--model", "nowhere:x"], "no model source 'nowhere'"),
    (["predict", "sample:chelsea", "--model", "torchvision:vgg160"], "did you mean 'vgg16'"),
    (["predict", "sample:chelsea", "--weights", "nowhere.pt"], "no weights file"),
    (["predict", "sample:chelsea", "--device", "moon"], "device 'moon' cannot be used"),
    (["rerun", "nowhere.png"], "no file nowhere.png"),
    (["report", "sample:chelsea", "-o", "x.png"], "must end in .html"),
    (["prdict", "x"], "did you mean 'predict'"),
    (["predict", "--nonsense"], "No such option"),
]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    BAD,
    ids=lambda case: " ".join(case) if isinstance(case, list) else "",
)
def test_bad_input_gets_one_sentence(arguments, sentence, capsys, folder):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert list(folder.iterdir()) == []


NOT_VERBS = ("atlas", "interpolate", "live", "load_model", "load_image")


def test_every_verb_is_public_and_every_public_verb_has_a_command():
    public = {
        name
        for name in convscope.__all__
        if name.islower()
        and name not in ("atlas", "interpolate", "live", "load_model", "load_image")
    }
    assert {ALIASES.get(name, name) for name in VERBS} == public


def test_names_are_harmless_in_the_terminal(capsys):
    from convscope.cli import show

    show.rows([{"[red]layer[/bold]": "[red]x[/red]\x1b[31m\u202e\ud800"}])
    printed = capsys.readouterr().out
    assert "[red]x[/red]" in printed
    assert "[red]layer[/bold]" in printed
    assert "\x1b" not in printed
    assert "\\x1b[31m\\u202e\\ud800" in printed
    assert main(["predict", "a\x1b[31mb.jpg"]) == 2
    assert "a\\x1b[31mb.jpg" in capsys.readouterr().err
