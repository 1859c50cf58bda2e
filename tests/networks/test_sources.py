"""Where networks come from: wrong files, truncated files, code in files, wrong labels and channels:
one sentence each."""

from __future__ import annotations

import json
import os
import pickle
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope import ConvscopeError
from convscope.errors import ImageError, ModelError, OptionError
from convscope.networks.weights import with_trained_weights
from tests.small_networks import Trunk
from tests.task_networks.embedders import save_clip
from tests.user_networks import FILES, SMALL, checkpoint_file, seeded, tiny_imagenet

pytestmark = pytest.mark.filterwarnings("ignore")  # exporters and Keras warn about their own past

ENDINGS = (".pt", ".pth", ".safetensors", ".keras", ".h5", ".onnx", ".pt2", ".toml")


class Runs:
    """A pickle that runs code when it is loaded."""

    def __reduce__(self):
        return (os.system, ("touch was_run",))


def sentence(call, *words, kind=ConvscopeError):
    """The one sentence of an error."""
    with pytest.raises(kind) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    for word in words:
        assert word in said
    return said


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_of_another_kind(tmp_path, ending):
    path = tmp_path / f"wrong{ending}"
    path.write_bytes(b"this is no network at all\n" * 40)
    options = {"arch": "timm:resnet18"} if ending in (".pt", ".pth", ".safetensors") else {}
    sentence(lambda: convscope.load_model(path, **options), "wrong", kind=ModelError)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_not_there(tmp_path, ending):
    options = {"arch": "timm:resnet18"} if ending in (".pt", ".pth", ".safetensors") else {}
    sentence(
        lambda: convscope.load_model(tmp_path / f"none{ending}", **options), "none", kind=ModelError
    )


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("keras: cats vs dogs .h5", "cats.h5"),
        ("keras: cats vs dogs .keras", "cats.keras"),
        ("onnx: small network", "net.onnx"),
        ("pt2: small network", "net.pt2"),
        ("torchscript: small network", "net.pt"),
    ],
)
def test_a_truncated_file(tmp_path, name, file):
    SMALL[name](tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    spec = f"torchscript:{tmp_path / file}" if "torchscript" in name else tmp_path / file
    sentence(lambda: convscope.load_model(spec, trust=True), file, kind=ModelError)


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_truncated_weights(tmp_path, ending):
    from safetensors.torch import save_file

    state = seeded(Trunk).state_dict()
    path = tmp_path / f"half{ending}"
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-900])
    sentence(lambda: convscope.load_model(Trunk(), weights=path), "half", kind=ModelError)


@pytest.mark.parametrize("arch", [None, "timm:resnet18"])
def test_an_archive_whose_end_is_damaged(tmp_path, arch):
    """It is still said to be an archive, and its members cannot be listed."""
    path = tmp_path / "net.pt"
    path.write_bytes(b"PK\x03\x04" + b"x" * 100 + b"PK\x05\x06" + b"\xff" * 18)
    sentence(lambda: convscope.load_model(path, arch=arch), "net.pt", "damaged", kind=ModelError)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def (:", ["SyntaxError"]),
        ("raise SystemExit(3)", ["SystemExit"]),
        ("1 / 0", ["ZeroDivisionError"]),
        ("a = 1", ["has no attribute 'Net'"]),
    ],
)
def test_a_module_that_cannot_be_imported(tmp_path, monkeypatch, code, words):
    name = f"faulty_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    sentence(lambda: convscope.load_model(f"python:{name}:Net"), name, *words, kind=ModelError)


@pytest.mark.parametrize("module", [".nets", ".."])
def test_a_module_named_relative_to_a_package(module):
    spec = f"python:{module}:Net"
    sentence(lambda: convscope.load_model(spec), repr(module), "in full", kind=ModelError)


def test_a_card_nested_without_end(tmp_path):
    card = tmp_path / "deep.toml"
    card.write_text("labels = " + "[" * 5000 + "]" * 5000)
    sentence(lambda: convscope.load_model(card), "deep.toml", "too deeply", kind=ModelError)


def test_a_text_side_with_a_damaged_tokenizer(tmp_path):
    pytest.importorskip("transformers")
    folder = save_clip(tmp_path)
    (folder / "tokenizer.json").write_text("{")
    sentence(lambda: convscope.load_model(f"hf:{folder}"), "tokenizer", kind=ModelError)


def test_a_text_side_without_a_tokenizer(tmp_path):
    """transformers makes one of the special tokens alone, to which all words are the same."""
    pytest.importorskip("transformers")
    folder = save_clip(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"):
        (folder / name).unlink()
    words = "tokenizer", "empty vocabulary"
    sentence(lambda: convscope.load_model(f"hf:{folder}"), *words, kind=ModelError)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt"])
def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Runs()}, "new.pt")
    with open("old.pkl", "wb") as file:
        pickle.dump(Runs(), file)
    for name in ("new.pt", "old.pkl"):
        path = tmp_path / f"{name}{ending}"
        path.write_bytes((tmp_path / name).read_bytes())
        sentence(
            lambda path=path: convscope.load_model(Trunk(), weights=path),
            "refused",
            kind=ModelError,
        )
        sentence(
            lambda path=path: convscope.load_model(path, arch="timm:resnet18"),
            "refused",
            kind=ModelError,
        )
    torch.save(Trunk(), "whole.pt")
    sentence(lambda: convscope.load_model(Trunk(), weights="whole.pt"), "refused", "state_dict")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_lambda_in_keras_is_refused(tmp_path, ending):
    from convscope.networks.sources._keras_support import library

    keras = library()
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Lambda(lambda x: x * 2),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    ]
    keras.Sequential(layers).save(tmp_path / f"code{ending}")
    sentence(lambda: convscope.load_model(tmp_path / f"code{ending}"), "refused", kind=ModelError)


@pytest.mark.parametrize(
    "name",
    [
        *FILES,
        "keras: cats vs dogs .h5",
        "onnx: small network",
        "timm:vit (tokens)",
        "hf: ResNet",
        "tuple output",
    ],
)
def test_labels_of_the_wrong_length_and_a_photo_of_other_channels(tmp_path, name):
    model = SMALL[name](tmp_path)
    sentence(
        lambda: convscope.load_model(model, labels=["a"] * 3),
        "3 labels",
        str(model.classes),
        kind=ModelError,
    )
    sentence(
        lambda: convscope.predict(model, torch.rand(1, 5, 64, 64)), "5 channel", kind=ImageError
    )


@pytest.mark.parametrize(
    "spec",
    [
        "torchvision:squeezenet1_1",
        "torchvision:densenet121",
        "torchvision:inception_v3",
        "timm:test_vit",
        "keras: cats vs dogs .h5",
        "onnx: small network",
    ],
)
def test_a_size_the_network_cannot_take(tmp_path, spec):
    model = (
        SMALL[spec](tmp_path)
        if spec in SMALL
        else convscope.load_model(spec, weights=False, size=3)
    )
    model = convscope.load_model(model, size=3) if spec in SMALL else model
    try:
        convscope.predict(model, torch.rand(1, 3, 64, 64))
    except ConvscopeError as error:
        assert "\n" not in str(error)
        assert "3 x 3" in str(error)


def test_a_checkpoint_of_lightning_and_dataparallel(tmp_path):
    model = checkpoint_file(tmp_path)
    assert (model.classes, model.size, model.label(6), model.name) == (
        7,
        (64, 64),
        "flower 6",
        "flowers",
    )
    assert model.preprocessing.mean == (0.5,)
    path = tmp_path / "flowers.ckpt"
    sentence(lambda: convscope.load_model(path), "arch", kind=ModelError)
    sentence(
        lambda: convscope.load_model(path, arch="timm:resnet18"),
        "of another shape",
        "fc.weight",
        "classes=",
    )
    sentence(
        lambda: convscope.load_model(path, arch="timm:resnet34", classes=7), "missing", "layer1.2"
    )
    sentence(lambda: convscope.load_model(path, arch="timm:resnet10t", classes=7), "unexpected")
    sentence(lambda: convscope.load_model(path, arch="resnet18"), "timm:NAME", kind=ModelError)
    sentence(
        lambda: convscope.load_model(path, arch="timm:resnet18", clases=7),
        "did you mean 'classes'",
        kind=OptionError,
    )


def test_a_model_card(tmp_path):
    model = tiny_imagenet(tmp_path)
    mean = np.load(tmp_path / "mean.npy").transpose(2, 0, 1)
    photo = torch.rand(1, 3, 64, 64)
    assert np.allclose(model.preprocess(photo)[0].numpy(), photo[0].numpy() * 255 - mean, atol=1e-3)
    assert torch.allclose(model.deprocess(model.preprocess(photo)), photo, atol=1e-5)
    assert convscope.load_model(model.spec, trust=True, **model.options).identity == model.identity
    card = tmp_path / "tiny.toml"
    good = card.read_text()
    for wrong, said in (
        (good.replace("classes", "clases"), "did you mean 'classes'"),
        (good.replace("tiny.pt", "huge.pt"), "huge.pt"),
        (good.replace("architecture", "#"), "architecture"),
        (good.replace("size = 64", "size = "), "TOML"),
        (
            good.replace("python:small_networks:Trunk", "python:small_networks:Nothing"),
            "cannot be found",
        ),
        (good + "\nbgr = 3\nmeen = 2", "did you mean 'mean'"),
    ):
        card.write_text(wrong)
        sentence(lambda: convscope.load_model(card, trust=True), said)
    np.save(tmp_path / "mean.npy", np.zeros((5, 64, 64)))
    card.write_text(good)
    sentence(
        lambda: convscope.load_model(card, trust=True),
        "mean image",
        "5 x 64 x 64",
        kind=ModelError,
    )


@pytest.mark.parametrize(
    "spec",
    [
        "timm:resnet18.a1_in1k",
        "torchvision:vgg16",
        "hf:microsoft/resnet-50",
        "keras:applications/MobileNetV2",
    ],
)
def test_offline_names_the_ways_out(monkeypatch, spec):
    def nowhere(*given, **named):
        raise OSError("no network")

    monkeypatch.setattr("socket.getaddrinfo", nowhere)
    monkeypatch.setenv("HF_HOME", "/nonexistent")
    monkeypatch.setattr("torch.hub.get_dir", lambda: "/tmp/convscope-nothing-here")
    monkeypatch.setenv("KERAS_HOME", "/nonexistent")
    sentence(lambda: convscope.load_model(spec), "weights=False", "weights=PATH", kind=ModelError)


@pytest.mark.parametrize(
    "spec",
    [
        "timm:resnet_18",
        "torchvision:resnet_18",
        "keras:applications/VGG_16",
        "embedded:lite9",
        "nothing:x",
        "python:nowhere:F",
    ],
)
def test_a_name_that_is_not_there(spec):
    sentence(lambda: convscope.load_model(spec, weights=False), kind=ModelError)


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": (1, 2, 3)},
        {"std": 0},
        {"std": [1, 2]},
        {"scale": 0},
        {"crop": 2},
        {"interpolation": "cubic"},
        {"sice": 3},
    ],
)
def test_a_value_that_does_not_fit(options):
    sentence(lambda: convscope.load_model(Trunk(), **options), kind=OptionError)


def test_random_weights_are_the_same_each_time_and_leave_the_callers_seed_alone():
    state = torch.get_rng_state()
    first, second = (
        convscope.load_model("torchvision:squeezenet1_1", weights=False) for _ in range(2)
    )
    assert first.identity == second.identity
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("spec", [None, "torchvision:resnet18", "timm:resnet10t"])
def test_a_network_from_a_source_comes_in_evaluation_mode(spec):
    """Run by its user, `model.network(image)` would else change its own running means."""
    options = {"weights": False} if spec else {}
    network = convscope.load_model(spec, **options).network
    assert not any(module.training for module in network.modules())


def test_a_module_of_the_callers_keeps_its_mode():
    network = seeded(Trunk).train()
    assert convscope.load_model(network, size=32).network.training


def test_a_head_that_starts_at_zero_is_drawn():
    network = convscope.load_model("torchvision:vit_b_16", weights=False).network
    assert network.heads.head.weight.any()


class Pruned(nn.Module):
    """A network whose branch was set to zero (pruning, LoRA's second matrix)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(3, 4, 3)
        self.branch = nn.Conv2d(4, 4, 1, bias=False)
        nn.init.zeros_(self.branch.weight)
        self.head = nn.Linear(4, 3)

    def forward(self, image):
        maps = self.trunk(image)
        return self.head((maps + 100 * self.branch(maps)).mean((2, 3)))


@pytest.mark.parametrize("weights", [None, False])
def test_zeros_that_a_function_sets_stay(weights):
    model = convscope.load_model("python:tests.networks.test_sources:Pruned", weights=weights)
    assert not model.network.branch.weight.any()
    assert torch.equal(model.network.trunk.weight, seeded(Pruned).trunk.weight)


def test_zeros_that_were_trained_stay():
    assert not with_trained_weights("timm:name", Pruned).branch.weight.any()


@pytest.mark.parametrize("classes", [None, 5])
def test_a_trained_networks_new_head_is_drawn_and_nothing_else(monkeypatch, classes):
    """As timm makes MLP-Mixer with other classes than it was trained for: its head is zero."""

    class Mixer(Pruned):
        num_classes = classes or 3
        pretrained_cfg: ClassVar = {
            "num_classes": 3,
            "input_size": (3, 32, 32),
            "mean": (0, 0, 0),
            "std": (1, 1, 1),
        }

        def get_classifier(self) -> nn.Module:
            return self.head

    def create_model(name, pretrained, **options):
        network = Mixer()
        network.head = nn.Linear(4, options.get("num_classes", 3))
        nn.init.zeros_(network.head.weight)
        return network

    monkeypatch.setattr("timm.create_model", create_model)
    options = {} if classes is None else {"classes": classes}
    network = convscope.load_model("timm:resnet18", **options).network
    assert bool(network.head.weight.any()) == (classes is not None)
    assert not network.branch.weight.any()


@pytest.fixture
def rectangle(tmp_path):
    """TorchScript that takes images of 16 x 24 alone, and the network it was traced from."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(384, 3))
    path = tmp_path / "rectangle.pt"
    torch.jit.trace(network.eval(), torch.rand(1, 3, 16, 24)).save(path)
    return path, network


@pytest.mark.parametrize("source", ["torchscript:", "file:", ""])
@pytest.mark.parametrize("option", ["side", "size"])
def test_torchscript_sees_photos_at_the_size_it_is_converted_for(rectangle, source, option):
    path, network = rectangle
    model = convscope.load_model(f"{source}{path}", trust=True, **{option: (16, 24)})
    assert model.preprocessing.size == (16, 24)
    photo = np.random.default_rng(0).random((16, 24, 3), dtype=np.float32)
    image = torch.from_numpy(photo).permute(2, 0, 1)[None]
    score = convscope.predict(model, photo)["score"]
    assert np.allclose(score, network(image).detach(), atol=1e-6)


def test_torchscript_of_another_size_says_what_to_set(rectangle):
    words = ["1 x 3 x 224 x 224", "channels=", "size="]
    sentence(lambda: convscope.load_model(rectangle[0], trust=True), *words, kind=ModelError)


@pytest.mark.parametrize("option", [{"classes": 3}, {"channels": 3}])
def test_a_file_with_its_architecture_decides_itself(tmp_path, option):
    SMALL["pt2: small network"](tmp_path)
    spec = f"file:{tmp_path / 'net.pt2'}"
    sentence(lambda: convscope.load_model(spec, **option), "leave out", kind=OptionError)
    assert convscope.load_model(spec, side=48).preprocessing.size == (48, 48)


def test_channels_are_read_off_the_network():
    assert convscope.load_model(nn.Sequential(nn.Conv2d(6, 2, 3)), size=8).channels == 6
    assert convscope.load_model("timm:resnet18", weights=False, channels=1, classes=2).channels == 1


@pytest.mark.parametrize(
    "name",
    [
        *FILES,
        "keras: cats vs dogs .h5",
        "onnx: small network",
        "pt2: small network",
        "torchscript: small network",
        "hf: ViT",
    ],
)
def test_a_network_is_the_same_when_it_is_loaded_again(tmp_path, name):
    """What `rerun` does: the spec and the options that are written into a picture, through JSON."""
    model = SMALL[name](tmp_path)
    again = convscope.load_model(model.spec, trust=True, **json.loads(json.dumps(model.options)))
    assert again.identity == model.identity
    assert again.preprocessing == model.preprocessing
    assert again.labels == model.labels


def test_random_keras_applications_are_the_same_each_time():
    first, second = (
        convscope.load_model("keras:applications/MobileNetV2", weights=False) for _ in range(2)
    )
    assert first.identity == second.identity
