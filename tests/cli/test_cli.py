"""The command line in one process: what it prints, what it writes, and the one sentence when it
cannot."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.cli import main
from convscope.cli.commands import Verb
from convscope.cli.public import ALIASES, VERBS, schema_of
from convscope.core.docstring import command_lines
from convscope.results.png import read_provenance


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def one_loading(embedded, monkeypatch):
    """The embedded network is loaded once for all tests."""
    import convscope.networks.load as models

    load = models.load_model

    def quick(model=None, **options):
        return embedded if model in (None, "embedded") and not options else load(model, **options)

    monkeypatch.setattr(models, "load_model", quick)


def test_predict(capsys):
    assert main(["predict", "sample:chelsea", "--top", "3"]) == 0
    printed = capsys.readouterr()
    assert "tiger cat" in printed.out
    assert printed.err == ""


def test_json(capsys):
    assert main(["predict", "sample:chelsea", "--top", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in found["table"]} == {"tiger cat", "Egyptian cat", "tabby"}
    assert found["provenance"]["photos"][0]["path"] == "sample:chelsea"


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
    assert capsys.readouterr().out == "x.png\n"
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
    (["explain", "sample:chelsea", "--samples", "3"], "grad_cam has no option --samples"),
    (
        ["explain", "sample:chelsea", "-o", "x.bmp"],
        "must end in .png or .npz or .json or .csv or .gif or .webp",
    ),
    (["explain", "sample:chelsea", "--draw", "color=red"], "attribution has no option 'color'"),
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


def test_no_arguments_shows_the_help(capsys):
    assert main([]) == 2
    assert "explain" in capsys.readouterr().err


def test_every_verb_is_public_and_every_public_verb_has_a_command():
    public = {
        name
        for name in convscope.__all__
        if name.islower() and name not in ("atlas", "load_model", "load_image")
    }
    assert {ALIASES.get(name, name) for name in VERBS} == public


@pytest.mark.parametrize("name", list(VERBS))
def test_help_shows_examples_that_parse(name, capsys):
    assert main([name, "--help"]) == 0
    printed = capsys.readouterr().out
    schema = schema_of(name)
    assert command_lines(schema.doc), (
        f"{name} has no command line in its docstring's Example section"
    )
    for example in command_lines(schema.doc):
        words = shlex.split(example)
        assert words[:2] == ["convscope", name]
        assert words[2] in printed if len(words) > 2 else True
        command = Verb(name, schema)
        command.make_parser(
            command.make_context(name, words[2:], resilient_parsing=True)
        ).parse_args(words[2:])
    for option in schema.options:
        assert option.help, f"{name} does not say what {option.name} is"
