"""What someone types who knows the verbs' names only: typing errors, words of other programs, half
a command. Each is answered with what to type instead."""

from __future__ import annotations

import click
import pytest
from PIL import Image

from convscope.cli import main, show
from convscope.cli.messages import in_options
from convscope.results.details import TableDetails
from convscope.results.result import Result

REFUSED = [
    (["atlas", "build"], "Missing option '--layers'. (convscope atlas build --help)"),
    (["atlas", "ls"], "(convscope atlas ls --help)"),
    (
        ["evaluate", "cat.jpg"],
        "evaluate takes PHOTO... and RESULT, as in convscope evaluate cat.jpg heat.npz",
    ),
    (["place", "cat.jpg"], "place takes PHOTO..., ROW and COLUMN, as in convscope place cat.jpg 1"),
    (["explain", "sample:chelsea", "--method", "gradcam"], "; did you mean 'grad_cam'?\n"),
    (["explain", "sample:chelsea", "--method", "Grad-CAM"], "; did you mean 'grad_cam'?\n"),
    (["predict", "sample:chelsea", "-m", "resnt50"], "did you mean 'timm:resnet50' or 'torchvis"),
    (["predict", "https://example.com/cat.jpg"], "example.com/cat.jpg; download it first."),
    (["predict", "sample:chelsea", "--top", "three"], "--top must be an integer of 1 or more"),
    (["predict", "sample:chelsea", "--input-size", "x"], "--input-size must be"),
    (
        ["activations", "sample:chelsea", "--layers", "blocks.1", "blocks.2"],
        "Several values of --layers are separated by commas.",
    ),
    (["predict", "sample:chelsea", "-m", "timm:alexnext", "--weights", "x"], "no weights file 'x'"),
    (["attention", "sample:chelsea"], "none; the method layer_cam of explain needs none."),
    (["visualize", "nothing"], "A unit is written layer:index, as in bn2:0."),
    (
        ["visualize", "tabby"],
        "'tabby' is a class: class_image shows one, and logit(tabby) stands for its score.",
    ),
    (["explain", "sample:chelsea", "--out", "-", "--json"], "give one of them."),
    (["report", "sample:chelsea", "--out", "-"], "--out -: the name must end in .html."),
    (["models", "vgg16", "--out", "x.csv"], "write them with models > FILE."),
    (["visualize", "head:3"], "only atlas takes it for the layer of classes; give a name, as 'cla"),
    (["activations", "sample:chelsea", "--layers", "head"], "give a name, as 'classifier'."),
    (["explain", "sample:chelsea", "--target", "unit:head:3"], "give a name, as 'classifier'."),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED, ids=lambda case: str(case)[:40])
def test_a_refusal_says_what_to_type(arguments, sentence, capsys, folder):
    Image.new("RGB", (64, 64), "gray").save("cat.jpg")
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert [path.name for path in folder.iterdir()] == ["cat.jpg"]


@pytest.mark.parametrize("text", ["0.5*", "blocks.3:1 +", "blocks.3:1,blocks.3:2", "(blocks.3:1"])
def test_a_malformed_sum_shows_how_one_is_written(text, capsys):
    assert main(["visualize", text]) == 2
    assert "are written as in bn2:0 or 0.5*bn2:0 + bn2:1." in capsys.readouterr().err


def test_rerun_of_a_photo(capsys, folder):
    Image.new("RGB", (64, 64), "gray").save("cat.jpg")
    assert main(["rerun", "cat.jpg"]) == 2
    assert "a picture that Convscope saved: it is no PNG." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["help"], "Usage: convscope [OPTIONS] COMMAND"),
        (["help", "explain"], "Usage: convscope explain [OPTIONS] PHOTO..."),
        (["help", "atlas", "ls"], "Usage: convscope atlas ls "),
        (["version"], "convscope "),
        (["models"], "embedded:efficientnet_lite0"),
    ],
)
def test_words_that_other_programs_have(arguments, first, capsys):
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith(first)


def test_each_photo_stands_beside_its_explanation(capsys, folder):
    Image.new("RGB", (64, 64), "gray").save("gray.png")
    assert main(["explain", "sample:chelsea", "gray.png", "--method", "saliency"]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("sample:chelsea: tiger cat (")
    assert second.startswith("gray.png: ")


def test_a_single_photo_stands_in_the_table_by_name(capsys):
    assert main(["predict", "sample:chelsea", "--top", "1"]) == 0
    assert "sample:chelsea │    1 │" in capsys.readouterr().out


def test_rows_of_other_columns_are_another_table(capsys):
    rows = [{"photo": 0, "label": "cat"}, {"photo": 0, "layer": "third", "units": 1200}]
    show.table(Result("overview", TableDetails(), table=rows), ["a.jpg"])
    printed = capsys.readouterr().out
    assert "label" in printed
    assert "units" in printed, "the second row's columns have their own names"
    assert printed.count("a.jpg") == 2


def test_python_is_read_as_options():
    command = click.Command(
        "x",
        params=[
            click.Option(["--weights", "model_weights"]),
            click.Option(["--photo"]),
            click.Option(["--trust"], is_flag=True),
        ],
    )
    for sentence, expected in {
        "use weights=False for random ones or weights=PATH.": (
            "use --weights False for random ones or --weights PATH."
        ),
        "say where it is with photo=PATH (--photo PATH).": "say where it is with --photo PATH.",
        "allow it with trust=True (--trust).": "allow it with --trust.",
        "say trust=True (on the command line --trust).": (
            "say trust=True (on the command line --trust)."
        ),
        "style=overlay is no option here": "style=overlay is no option here",
        "a.b?photos=3": "a.b?photos=3",
    }.items():
        assert in_options(sentence, command) == expected
