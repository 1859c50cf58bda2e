"""A file is data: opening one runs nothing that its author wrote, unless the user trusts it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.errors import ModelError
from convscope.networks.options import mean_image
from tests.small_networks import Trunk

pytestmark = pytest.mark.filterwarnings("ignore")


class Touch:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch '{self.path}'",))


class Writes(nn.Module):
    """A scripted network that writes a file when it runs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        torch.save(image, self.path)
        return self.conv(image).mean((2, 3))


@pytest.fixture
def exported(tmp_path):
    """An honest archive."""
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(Trunk().eval(), (torch.rand(1, 3, 32, 32),)), path)
    return path


@pytest.fixture
def marker(tmp_path):
    path = tmp_path / "was_run"
    return path


def rewritten(path: Path, **changes) -> Path:
    """The archive with records changed by the end of their name."""
    out = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for info in source.infolist():
            data = source.read(info)
            for ending, change in changes.items():
                if info.filename.endswith(ending.replace("__", "/") + ".pt") or (
                    info.filename.endswith(ending.replace("__", "/") + ".json")
                ):
                    data = change(data)
            target.writestr(info.filename, data)
    return out


def pickled(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def refused(spec, *words, **options):
    with pytest.raises(ModelError) as caught:
        convscope.load_model(spec, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert "--trust" in text
    assert all(word in text for word in words), text


def test_an_honest_archive_opens(exported):
    assert convscope.load_model(exported).classes == 5


@pytest.mark.parametrize("name", ["changed.pt2", "renamed.pt", "renamed.ckpt"])
def test_an_archive_with_a_pickle(exported, marker, name):
    path = rewritten(exported, sample_inputs__model=lambda _: pickled(((Touch(marker),), {})))
    path = path.rename(path.with_name(name))
    refused(path, "pickle")
    assert not marker.exists()
    convscope.load_model(path, trust=True)
    assert marker.exists(), "the test file would not have run anything anyhow"


@pytest.mark.parametrize(
    ("honest", "hostile", "word"),
    [
        ("torch.ops.aten.relu_.default", "torch.ops.aten.from_file.default", "from_file"),
        ("torch.ops.aten.relu_.default", "torch.ops.aten.save.default", "save"),
        ("torch.ops.aten.relu_.default", "torch.hub.load", "torch.hub"),
        ("torch.ops.aten.relu_.default", "torch.os.system", "torch.os"),
    ],
)
def test_an_archive_whose_graph_does_more_than_arithmetic(exported, honest, hostile, word):
    def change(data: bytes) -> bytes:
        assert honest.encode() in data
        return data.replace(honest.encode(), hostile.encode())

    refused(rewritten(exported, models__model=change), word)


def test_an_archive_with_an_expression_that_is_evaluated(tmp_path, marker):
    path = tmp_path / "net.pt2"
    program = torch.export.export(
        Trunk().eval(),
        (torch.rand(2, 3, 32, 32),),
        dynamic_shapes=({0: torch.export.Dim("count")},),
    )
    torch.export.save(program, path)
    assert convscope.load_model(path).classes == 5

    def change(data: bytes) -> bytes:
        graph = json.loads(data)
        text = json.dumps(graph)
        begin = text.index('"expr_str": "') + len('"expr_str": "')
        hostile = f"__import__('os').system('touch {marker}')"
        return (text[:begin] + hostile + text[text.index('"', begin) :]).encode()

    refused(rewritten(path, models__model=change), "expression")
    assert not marker.exists()


@pytest.mark.parametrize("spec", ["torchscript:{}", "{}", "file:{}"])
def test_torchscript_asks_first(tmp_path, marker, spec):
    path = tmp_path / "net.pt"
    torch.jit.script(Writes(marker).eval()).save(str(path))
    refused(spec.format(path), "TorchScript")
    assert not marker.exists()


def test_a_card_that_names_code(tmp_path, monkeypatch, marker):
    (tmp_path / "hostile_module.py").write_text(
        f"import os\nos.system('touch {marker}')\nfrom small_networks import Trunk as make\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    card = tmp_path / "card.toml"
    card.write_text('architecture = "python:hostile_module:make"\n[preprocessing]\nsize = 32\n')
    refused(card, "python:hostile_module:make")
    card.write_text('architecture = "file:w.pt"\narch = "python:hostile_module:make"\n')
    torch.save(Trunk().state_dict(), tmp_path / "w.pt")
    refused(card, "python:hostile_module:make")
    assert not marker.exists()
    assert convscope.load_model(card, trust=True).classes == 5
    assert marker.exists()


def test_a_card_cannot_trust_itself(tmp_path):
    torch.jit.script(Trunk().eval()).save(str(tmp_path / "net.pt"))
    card = tmp_path / "card.toml"
    card.write_text('architecture = "file:net.pt"\n')
    refused(card, "TorchScript")
    card.write_text('architecture = "file:net.pt"\ntrust = true\n')
    with pytest.raises(ModelError, match="'trust'"):
        convscope.load_model(card)


@pytest.mark.parametrize("other", ["card.toml", "card:card.toml", "other.toml"])
def test_a_card_that_names_a_card(tmp_path, monkeypatch, other):
    monkeypatch.chdir(tmp_path)
    for name in ("card.toml", "other.toml"):
        Path(name).write_text(f'architecture = "{other}"\n')
    with pytest.raises(ModelError, match="another card"):
        convscope.load_model("card.toml")


def test_trust_is_not_written_down(tmp_path):
    """A record that carried it would open files for whoever made the record."""
    torch.jit.script(Trunk().eval()).save(str(tmp_path / "net.pt"))
    model = convscope.load_model(f"torchscript:{tmp_path / 'net.pt'}", side=32, trust=True)
    assert "trust" not in model.options


def header_of(shape: str, dtype: str = "<f4") -> bytes:
    """A .npy file that claims a shape and holds four bytes."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + b"\0" * 4


@pytest.mark.parametrize(
    "shape", ["(3, 1000000, 1000000)", "(2500000000000,)", "(3, 70000, 70000)"]
)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_a_mean_image_that_claims_terabytes(tmp_path, shape, ending):
    path = tmp_path / f"mean{ending}"
    if ending == ".npy":
        path.write_bytes(header_of(shape))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mean.npy", header_of(shape))
    with pytest.raises(ModelError, match="mean"):
        convscope.load_model(Trunk(), size=32, mean_image=path)


def test_a_mean_image_that_is_a_pickle(tmp_path, marker):
    path = tmp_path / "mean.npy"
    np.save(path, np.array([Touch(marker)], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="mean"):
        convscope.load_model(Trunk(), size=32, mean_image=path)
    assert not marker.exists()


def test_a_mean_image_in_a_damaged_archive(tmp_path):
    path = tmp_path / "mean.npz"
    np.savez_compressed(path, mean=np.linspace(0, 1, 3072).reshape(3, 32, 32))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(ModelError):
            mean_image(path, 3, 1.0)


def test_hugging_face_is_never_asked_to_run_code(monkeypatch):
    transformers = pytest.importorskip("transformers")
    asked = []

    def record(name, **options):
        asked.append(options.get("trust_remote_code"))
        raise OSError("not there")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", record)
    with pytest.raises(ModelError):
        convscope.load_model("hf:somebody/something")
    assert asked == [False]


def test_an_old_keras_is_refused(monkeypatch):
    from convscope.networks.sources._keras_support import library

    keras = library()
    monkeypatch.setattr(keras, "__version__", "3.11.3")
    with pytest.raises(ModelError, match=r"3\.12"):
        convscope.load_model("keras:applications/VGG16", weights=False)
