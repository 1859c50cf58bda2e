"""The command line in one process: what it prints, what it writes, and the one sentence when it
cannot."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.cli import main
from convscope.cli.commands import Verb
from convscope.cli.public import ALIASES, VERBS, schema_of
from convscope.core.docstring import command_lines
from convscope.results.png import read_provenance

ROOT = Path(__file__).parents[2]


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
    assert re.fullmatch(r"Egyptian cat \(\d\d\.\d%\): grad_cam at bn2\n", printed.err)
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


def test_no_arguments_shows_the_help(capsys):
    assert main([]) == 2
    assert "explain" in capsys.readouterr().err


NOT_VERBS = ("atlas", "interpolate", "live", "load_model", "load_image")


def test_every_verb_is_public_and_every_public_verb_has_a_command():
    public = {
        name
        for name in convscope.__all__
        if name.islower()
        and name not in ("atlas", "interpolate", "live", "load_model", "load_image")
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


@pytest.mark.parametrize(
    ("listing", "name"), [("methods", "grad_cam"), ("metrics", "insertion"), ("presets", "distill")]
)
def test_lists(listing, name, capsys):
    assert main([listing]) == 0
    assert f"{name} " in capsys.readouterr().out
    assert main([listing, "--json"]) == 0
    assert all(json.loads(capsys.readouterr().out).values())


@pytest.mark.parametrize("verb", ["explain", "evaluate"])
def test_help_begins_with_an_example_and_is_short(verb, capsys):
    assert main([verb, "--help"]) == 0
    short = capsys.readouterr().out
    assert main([verb, "--help-all"]) == 0
    full = capsys.readouterr().out
    assert short.index("Examples:") < short.index("Options:")
    assert short.index(f"convscope {verb} ") < 120
    assert len(short.splitlines()) < 60
    assert f"convscope {verb} --help-all" in " ".join(short.split())
    assert "--weights" in full
    assert "--weights" not in short
    for section in ("--method rise", "--points"):
        assert section not in short


COMPLETED = [
    ("explain x.jpg --method", "grad", {"grad_cam", "grad_cam_plus_plus", "gradient_x_input"}),
    ("explain x.jpg --method", "saliency,rand", {"saliency,random_map"}),
    ("evaluate x.jpg --metric", "ins", {"insertion"}),
    ("visualize u --preset", "dist", {"distill"}),
    ("visualize u --optimizer", "p", {"padam"}),
    ("explain", "sample:ch", {"sample:chelsea"}),
    ("explain x.jpg --model", "torchvi", {"torchvision:"}),
]


@pytest.mark.parametrize(("words", "incomplete", "expected"), COMPLETED)
def test_values_are_completed(words, incomplete, expected):
    from click.shell_completion import ShellComplete

    from convscope.cli.commands import Verbs

    completion = ShellComplete(Verbs(), {}, "convscope", "_CONVSCOPE_COMPLETE")
    items = completion.get_completions(words.split(), incomplete)
    assert expected <= {item.value for item in items}
    assert all(item.value.startswith(incomplete) for item in items)


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


INTERRUPTED = {
    "predict": ["sample:chelsea"],
    "activations": ["sample:chelsea"],
    "overview": ["sample:chelsea"],
    "explain": ["sample:chelsea"],
    "place": ["sample:chelsea", "100", "100"],
    "concepts": ["sample:chelsea"],
    "intervene": ["sample:chelsea", "blocks.3:1"],
    "evaluate": ["sample:chelsea", "x.npz"],
    "visualize": ["blocks.3:1"],
    "class_image": ["tabby"],
    "caricature": ["sample:chelsea"],
    "invert": ["sample:chelsea"],
    "dream": ["sample:chelsea"],
    "fool": ["sample:chelsea"],
    "activation_grid": ["sample:chelsea"],
    "semantic_dictionary": ["sample:chelsea"],
    "report": ["sample:chelsea"],
}


@pytest.mark.parametrize("verb", INTERRUPTED)
def test_an_interrupted_verb_says_so(verb, capsys, folder, monkeypatch, embedded):
    """A signal comes while the verb is at work on the network."""

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal did not come")

    if verb == "evaluate":
        convscope.explain(embedded, "sample:chelsea", layer="blocks.6").save("x.npz")
    monkeypatch.setattr("convscope.networks.load._from_source", lambda *arguments: embedded)
    monkeypatch.setattr(type(embedded), "__call__", interrupted)
    before = {path.name for path in folder.iterdir()}
    assert main([verb, *INTERRUPTED[verb]]) == 130
    assert "convscope: stopped." in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == before


def test_interrupted_batches_keep_what_is_made(capsys, folder, monkeypatch):
    """Three units one after the other; the signal comes in the second one's third step."""
    steps = 0

    def counted():
        nonlocal steps
        steps += 1
        if steps == 13:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("convscope.core.interrupt.step_made", counted)
    units = ["blocks.1:0", "blocks.1:1", "blocks.1:2"]
    arguments = ["visualize", *units, "--batch", "1", "--steps", "10", "--size", "16"]
    assert main([*arguments, "--out", "x.png"]) == 130
    assert "interrupted after 3 of 10 steps" in capsys.readouterr().err
    assert read_provenance("x.png")["interrupted"]["after"] == 3
