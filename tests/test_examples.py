"""The examples in docstrings, and the commands on the pages of docs/, run as they stand there.

Optimizations end after two steps, and networks whose weights come from a hub get random ones.
"""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import convscope
import convscope.networks.load
from convscope.cli import main
from convscope.concepts.concept_set import ConceptSet
from convscope.core.interrupt import stop_after
from convscope.photos.samples import sample
from convscope.synthesis.objective import channel, interpolate, objective
from convscope.synthesis.parameterizations.maco import measure_magnitude
from tests import user_networks

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "gallery").glob("*.md"))]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]

STEPS = 2

INTERRUPTED = 130
"""What the command line returns where an optimization was ended after two steps."""

RUN_ELSEWHERE = ("report", "live")
"""A page with everything in it (its gallery page runs it), and a server that waits."""

ATLAS = ("build", "examples", "map", "ls", "show", "verify", "compact", "export", "open")
"""In the order in which one needs what the other wrote."""

HUB = {
    "torchvision:vgg16": {"weights": False},
    "timm:vit_base_patch16_224": {"weights": False},
}
"""Networks whose own weights cannot be reached from a test."""


def examples() -> list[tuple[str, str, list[str]]]:
    """The name, the Python and the commands of every docstring's example."""
    parts = []
    for path in sorted((ROOT / "convscope").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                continue
            _, found, text = (ast.get_docstring(node) or "").partition("Example:")
            if found:
                lines = text.strip().splitlines()
                commands = [
                    line.strip()[2:] for line in lines if line.strip().startswith("$ convscope")
                ]
                code = "\n".join(line.strip() for line in lines if not line.strip().startswith("$"))
                parts.append(
                    (f"{path.parent.name}.{getattr(node, 'name', path.stem)}", code, commands)
                )
    return parts


def shorter(text: str) -> str:
    """The same for one layer, small, with few steps."""
    text = text.replace("blocks.*,head", "blocks.3").replace('"blocks.*"', "blocks.3")
    text = text.replace("--layer blocks.4", "--layer blocks.3").replace('"blocks.4"', '"blocks.3"')
    text = re.sub(r"(atlas\.(?:build|map)\(.*)\)", r"\1, steps=1, size=16)", text)
    text = re.sub(r" --(steps|size) \d+", "", text)
    return re.sub(r"(atlas (?:build|map) [^#]*)", r"\1 --steps 1 --size 16 ", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with all files that the examples name."""
    path = tmp_path_factory.mktemp("examples")
    with contextlib.chdir(path):
        _photos()
        _networks(path)
        result = convscope.explain(None, "cat.jpg")
        for name in ("heat.npz", "out.npz"):
            result.save(name)
        convscope.predict(None, "cat.jpg").save("rerun.png")
        sys.path.insert(0, str(path))
        yield path
        sys.path.remove(str(path))


def _photos() -> None:
    names = {"cat.jpg": "chelsea", "dog.jpg": "coffee", "dog.png": "coffee", "sky.jpg": "rocket"}
    names |= {"street.jpg": "cat-and-coffee", "zoo.jpg": "astronaut", "rose.jpg": "coffee"}
    for name, photo in names.items():
        picture = Image.fromarray(sample(photo)).convert("RGB")
        picture.thumbnail((320, 320))
        picture.save(name)
        for folder in ("photos", "FOLDER"):
            Path(folder).mkdir(exist_ok=True)
            picture.save(Path(folder) / name)
    with Image.open("cat.jpg") as cat:
        mask = Image.new("L", cat.size)
    mask.paste(255, (80, 20, 240, 180))
    mask.save("cat_mask.png")


def _networks(path: Path) -> None:
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("resnet18", num_classes=7).state_dict(), "mine.safetensors")
    torch.save(timm.create_model("resnet50", num_classes=7).state_dict(), "flowers.ckpt")
    Path("labels.txt").write_text("\n".join("abcdefg"))
    user_networks.cats_and_dogs(side=48, units=(8, 8), dense=8).save("cats_vs_dogs.h5")
    network, image = timm.create_model("test_resnet").eval(), torch.rand(1, 3, 64, 64)
    torch.onnx.export(network, (image,), "net.onnx", dynamo=False)
    torch.export.save(torch.export.export(network, (image,)), "net.pt2")
    torch.jit.trace(network, image).save("net.pt")
    Path("my_package").mkdir()
    (path / "my_package" / "__init__.py").touch()
    (path / "my_package" / "nets.py").write_text(
        "import timm\n\n\ndef SmallNet():\n    return timm.create_model('test_resnet')\n"
    )
    save_file(network.state_dict(), "w.safetensors")
    Path("tiny_imagenet.toml").write_text('architecture = "timm:test_resnet"\nweights = false\n')


@pytest.fixture
def names(folder, monkeypatch) -> dict[str, Any]:
    """What an example may name beside what it imports."""
    load = convscope.networks.load.load_model

    def load_model(spec=None, **options):
        if spec == "hf:microsoft/resnet-50":
            return user_networks.hugging_face("ResNet", folder)
        return load(spec, **(HUB.get(spec, {}) | options))

    monkeypatch.setattr(convscope, "load_model", load_model, raising=False)
    monkeypatch.setattr(Image.Image, "show", lambda picture: None)
    model = load(None, size=128)
    paths = ["cat.jpg", "dog.jpg", "sky.jpg"]
    return {
        "convscope": convscope,
        "torch": torch,
        "atlas": convscope.atlas,
        "load_model": load_model,
        "load_image": convscope.load_image,
        "model": model,
        "paths": paths,
        "photos": paths,
        "result": convscope.explain(model, "cat.jpg"),
        "objective": objective,
        "channel": channel,
        "interpolate": interpolate,
        "first": channel("blocks.3", 11),
        "second": channel("blocks.3", 40),
        "ConceptSet": ConceptSet,
        "directions": torch.rand(4, 192),
        "vector": torch.rand(112),
        "measure_magnitude": measure_magnitude,
    }


def run(command: str) -> None:
    with stop_after(STEPS):
        assert main(shlex.split(command, comments=True)[1:]) in (0, INTERRUPTED), command


ALL = examples()


@pytest.mark.parametrize(
    ("code", "commands"),
    [
        pytest.param(code, commands, id=name)
        for name, code, commands in ALL
        if not name.startswith("atlas.") and name.partition(".")[2] not in RUN_ELSEWHERE
    ],
)
def test_the_example_of_a_docstring_runs(code, commands, names):
    with stop_after(STEPS):
        exec(compile(code, "example", "exec"), names)
    for command in commands:
        run(command)


def test_the_examples_of_the_atlas_run_one_after_the_other(names):
    parts = {name: (code, commands) for name, code, commands in ALL}
    assert {name for name in parts if name.startswith("atlas.")} == {f"atlas.{n}" for n in ATLAS}
    for name in ATLAS:
        code, commands = parts[f"atlas.{name}"]
        exec(compile(shorter(code), name, "exec"), names)
        for command in commands:
            assert main(shlex.split(shorter(command))[1:]) == 0, command


def commands_of(page: Path) -> list[str]:
    """The commands of a page, in a fence or indented."""
    lines = page.read_text(encoding="utf-8").splitlines()
    commands = [line.strip().removeprefix("$ ") for line in lines if re.match(r"    |\$ ", line)]
    commands = [line for line in commands if line.startswith("convscope ")]
    return [line for line in commands if line.split()[1] not in RUN_ELSEWHERE]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands_of(page)], ids=lambda p: p.stem
)
def test_the_commands_of_a_page_run(page, names):
    for command in commands_of(page):
        run(shorter(command) if page.stem == "atlas" else command)
