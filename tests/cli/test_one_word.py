"""One word for one thing: an option means the same on every command, and is called the same."""

from __future__ import annotations

import json

import click
import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.cli import main
from convscope.cli.commands import Verbs
from convscope.networks.command_words import WITH_PREFIX, model_words, network_flag
from tests.quick_verbs import SIDE, small_network


def commands() -> dict[str, click.Command]:
    """Every command, those of `atlas` too."""
    known: dict[str, click.Command | None] = {}
    group = Verbs()
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            known |= {
                f"{name} {sub}": command.get_command(None, sub)
                for sub in command.list_commands(None)
            }
        else:
            known[name] = command
    return {name: command for name, command in known.items() if command is not None}


COMMANDS = commands()


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Flag -> option, without those that are hidden."""
    return {
        flag: option
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
        for flag in option.opts
        if flag.startswith("--")
    }


def test_options_of_networks_are_called_the_same_on_every_command():
    names: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for flag, option in options_of(command).items():
            if option.name.startswith("model_"):
                names.setdefault(option.name, set()).add(flag)
    assert len(names) > 15
    assert {name: flags for name, flags in names.items() if len(flags) > 1} == {}
    assert names["model_size"] == {"--input-size"}


def test_the_prefix_is_for_names_that_mean_something_else_somewhere():
    """And for no other."""
    of_verbs: set[str] = set()
    of_networks: set[str] = set()
    for command in COMMANDS.values():
        for option in options_of(command).values():
            is_network = option.name.startswith("model_")
            (of_networks if is_network else of_verbs).add(option.name.removeprefix("model_"))
    assert of_verbs & of_networks - {"trust", "device"} == set(WITH_PREFIX)


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    """A network in a file, and its options as typed."""
    monkeypatch.chdir(tmp_path)
    program = torch.export.export(small_network().eval(), (torch.zeros(1, 3, SIDE, SIDE),))
    torch.export.save(program, "net.pt2")
    return ["--model", "net.pt2"]


@pytest.mark.parametrize("words", [["--input-labels"], ["--labels"]])
def test_the_plain_name_still_works(words, checkpoint, capsys):
    assert main(["predict", "sample:coffee", "--json", *checkpoint, *words, "a,b,c,d,e"]) == 0
    assert json.loads(capsys.readouterr().out)["table"][0]["label"] in "abcde"


def test_the_words_that_name_a_network_load_it(checkpoint, capsys):
    model = convscope.load_model("net.pt2", mean=[0.5, 0.4, 0.3], labels=["a", "b", "c", "d", "e"])
    words = model_words(model)
    assert words[:2] == ["--model", "net.pt2"]
    assert "--input-labels" in words
    assert main(["predict", "sample:coffee", "--json", *words]) == 0
    table = json.loads(capsys.readouterr().out)["table"]
    assert table == convscope.predict(model, "sample:coffee").table


@pytest.mark.filterwarnings(
    "ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning"
)
def test_trust_is_a_flag(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.jit.script(small_network().eval()).save("net.pt")
    words = ["layers", "--model", "torchscript:net.pt", "--side", str(SIDE)]
    assert main(words) == 2
    assert "say trust=True (on the command line --trust)" in capsys.readouterr().err
    assert main([*words, "--trust"]) == 0
    assert "second" in capsys.readouterr().out


@pytest.mark.parametrize("spec", ["torchvision:squeezenet1_0", "timm:test_resnet"])
def test_layers_need_no_weights(spec, capsys, monkeypatch):
    monkeypatch.setattr(
        "torch.hub.load_state_dict_from_url", lambda *_, **__: pytest.fail("fetched")
    )
    assert main(["layers", "--model", spec]) == 0
    assert "Conv2d" in capsys.readouterr().out


def test_an_unknown_option_of_a_network_is_named_as_it_is_typed(capsys):
    assert main(["predict", "sample:coffee", "--input-channels", "3"]) == 2
    assert f"{network_flag('channels')} is not an option of embedded:" in capsys.readouterr().err


def test_photos_stand_in_the_table_by_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("black.png")
    assert main(["predict", "sample:chelsea", "black.png", "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("sample:chelsea" in line and "tiger cat" in line for line in lines)
    assert any("black.png" in line for line in lines)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "pdf", "svg", "png"])
def test_a_picture_in_every_form_with_its_options(ending, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["predict", "sample:chelsea", "--top", "1", "-o", f"x.{ending}"]
    assert main(words) == 0
    data = (tmp_path / f"x.{ending}").read_bytes()
    starts = {
        "jpg": b"\xff\xd8",
        "jpeg": b"\xff\xd8",
        "pdf": b"%PDF",
        "svg": b"<",
        "png": b"\x89PNG",
    }
    assert data.startswith(starts[ending])


def test_options_of_the_picture_reach_a_jpeg(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for style in ("panels", "overlay"):
        words = ["explain", "sample:chelsea", "--draw", f"style={style}", "-o", f"{style}.jpg"]
        assert main(words) == 0
    with Image.open("panels.jpg") as panels, Image.open("overlay.jpg") as overlay:
        assert panels.size != overlay.size == (451, 300)


def test_options_of_a_picture_that_is_none(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "sample:chelsea", "--draw", "style=overlay", "-o", "x.npz"]) == 2
    said = capsys.readouterr().err
    assert "--draw style=overlay is about a picture, and --out x.npz holds none" in said
    assert list(tmp_path.iterdir()) == []
