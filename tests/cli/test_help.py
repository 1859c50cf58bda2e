"""Help, lists and completion."""

from __future__ import annotations

import json
import shlex

import pytest

from convscope.cli import main
from convscope.cli.commands import Verb
from convscope.cli.public import VERBS, schema_of
from convscope.core.docstring import command_lines


def test_no_arguments_shows_the_help(capsys):
    assert main([]) == 2
    assert "explain" in capsys.readouterr().err


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


@pytest.mark.parametrize("name", ["audit", "report"])
def test_help_of_a_page_says_where_it_goes(name, capsys):
    assert main([name, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "-o, --out TEXT Where to write: the page" in printed
    assert f"[{name}.html]" in printed
    assert ".png" not in printed


@pytest.mark.parametrize("verb", ["audit", "report", "models"])
def test_what_cannot_be_drawn_is_not_offered(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert "--draw" not in capsys.readouterr().out
    words = [] if verb == "models" else ["sample:chelsea"]
    assert main([verb, *words, "--draw", "style=overlay"]) == 2
    assert verb in capsys.readouterr().err


def test_what_cannot_be_typed_is_not_offered(capsys):
    """`inputs` of `load_model` is a mapping of tensors."""
    assert main(["layers", "--help"]) == 0
    assert "--inputs" not in capsys.readouterr().out
    assert main(["models", "--help"]) == 0
    assert "models [OPTIONS] [WORD]" in capsys.readouterr().out
