"""The verbs that look, on the embedded network and on small ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import (
    ConvscopeError,
    ImageError,
    LayerError,
    ModelError,
    NumericError,
    OptionError,
    UnitError,
)
from convscope.networks.preprocessing import Preprocessing
from convscope.results.details import ActivationsDetails
from tests.small_networks import ByHand, Trunk, assert_unchanged, snapshot


@pytest.fixture(scope="module")
def by_hand():
    return convscope.load_model(ByHand(), channels=1, size=2)


PHOTO = np.array([[0.25, 0.5], [0.75, 1.0]], dtype=np.float32)


def test_predict_finds_the_cat(embedded, chelsea):
    result = convscope.predict(embedded, chelsea, top=3)
    assert {row["label"] for row in result.table} == {"tiger cat", "Egyptian cat", "tabby"}
    assert result["probability"].shape == (1, 1000)
    assert result["probability"].sum() == pytest.approx(1, abs=1e-5)


def test_predict_a_sigmoid_network_without_labels():
    network = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 1)
    )
    with torch.no_grad():
        network[2].weight.fill_(1.0)
        network[2].bias.fill_(-1.5)
    result = convscope.predict(
        convscope.load_model(network, size=4), np.full((4, 4, 3), 0.5, dtype=np.float32)
    )
    assert result.table == [
        {"photo": 0, "rank": 1, "index": 0, "label": "class 0", "probability": 0.5}
    ]


def test_photos_of_several_kinds_and_sizes_make_a_batch(embedded, chelsea):
    photos = [chelsea, Image.fromarray(chelsea), "sample:coffee"]
    result = convscope.predict(embedded, photos, top=1)
    assert [row["photo"] for row in result.table] == [0, 1, 2]
    assert np.allclose(result["score"][0], result["score"][1], atol=1e-4)
    assert result.table[2]["label"] == "espresso"
    assert [photo.shape for photo in result.photos] == [(300, 451, 3), (300, 451, 3), (400, 600, 3)]


def test_activations_by_hand(by_hand):
    result = convscope.activations(by_hand, PHOTO, layers=["conv", "head"])
    assert np.allclose(result["conv"][0], [2 * PHOTO, -PHOTO])
    assert result["head"].shape == (1, 2, 1, 1)
    # mean of the photo is 0.625: maps 1.25 and -0.625
    assert np.allclose(result["head"][0, :, 0, 0], [1.25 + 3 * -0.625, 1.25 + 0.625])
    assert [
        (row["layer"], row["zeros"], row["blank"], row["strongest"]) for row in result.table
    ] == [
        ("conv", 0, 0, [0, 1]),
        ("head", 0, 0, [1, 0]),
    ]


def test_activations_count_zeros_and_blanks():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1, 0, 1]).reshape(4, 1, 1, 1))
        network[0].bias.copy_(torch.tensor([0, 0, 3, -0.5]))
    result = convscope.activations(
        convscope.load_model(network, size=2, channels=1), PHOTO, layers="1"
    )
    # channels: the photo, nothing, a constant 3, the photo less 0.5 (two of four places)
    assert result.table[0]["zeros"] == pytest.approx(6 / 16)
    assert result.table[0]["blank"] == pytest.approx(2 / 4)
    assert result.table[0]["strongest"] == [2, 0, 3, 1]


def test_default_layers_have_passed_their_nonlinearity(embedded, chelsea):
    result = convscope.activations(embedded, chelsea)
    assert len(result.table) == 3
    for row in result.table:
        assert row["zeros"] > 0.1, row["layer"]
        assert result[row["layer"]].min() == 0, "ReLU6 gives nothing below zero"


def test_one_channel_at_large(by_hand):
    result = convscope.activations(by_hand, PHOTO, layers="conv", channels=1)
    assert result["conv"].shape == (1, 2, 2, 2)
    assert result.details_as(ActivationsDetails).channels == [1]
    assert result.picture().height > 600
    with pytest.raises(UnitError, match=r"conv has 2 channels \(0 to 1\); 2 was given"):
        convscope.activations(by_hand, PHOTO, layers="conv", channels=[0, 2])


def test_explain_by_hand(by_hand):
    cam = convscope.explain(by_hand, PHOTO, method="grad_cam", target=1, layer="conv")
    # weights: d score 1 / d map = (1, -1) / 4 at each place; map = 2p/4 + p/4
    assert np.allclose(cam["attribution"][0, 0], 0.75 * PHOTO)
    assert cam["heatmap"].shape == (1, 2, 2)
    saliency = convscope.explain(by_hand, PHOTO, method="saliency", target=0)
    assert np.allclose(saliency["attribution"], -0.25)
    assert np.allclose(saliency["heatmap"], 0.25)


def test_heat_lies_on_its_own_object(embedded):
    """A cat above, a cup below: each class's Grad-CAM heat is in its own half."""
    result = convscope.explain(
        embedded, "sample:cat-and-coffee", target=["Egyptian cat", "espresso"]
    )
    heat = np.clip(result["heatmap"], 0, None)
    upper, lower = (
        heat[:, :3].sum((1, 2)) / heat.sum((1, 2)),
        heat[:, 4:].sum((1, 2)) / heat.sum((1, 2)),
    )
    assert upper[0] > 0.7 > 0.2 > lower[0]
    assert lower[1] > 0.7 > 0.2 > upper[1]


def test_several_targets_are_a_batch_of_one_photo(embedded, chelsea):
    both = convscope.explain(embedded, chelsea, target=["tabby", "tiger cat"])
    for place, target in enumerate(["tabby", "tiger cat"]):
        one = convscope.explain(embedded, chelsea, target=target)
        assert np.allclose(both["attribution"][place], one["attribution"][0], atol=1e-5)
    assert both.details["titles"] == ["tabby", "tiger cat"]
    assert both.details["photo_of"] == [0, 0]


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_half_precision_is_asked_for_and_stated(embedded, chelsea, method):
    options = {"occlusion": {"window": 96, "stride": 64}}.get(method, {})
    full = convscope.explain(embedded, chelsea, method=method, target="tabby", **options)
    half = convscope.explain(embedded, chelsea, method=method, target="tabby", half=True, **options)
    assert (half.provenance["arguments"]["half"], full.provenance["arguments"]["half"]) == (
        True,
        False,
    )
    assert half["attribution"].dtype == np.float32
    assert not np.array_equal(half["attribution"], full["attribution"])
    assert np.corrcoef(half["heatmap"].ravel(), full["heatmap"].ravel())[0, 1] > 0.97
    assert not embedded.half


def test_layers(embedded):
    result = convscope.layers(embedded, match="blocks.?")
    assert [row["name"] for row in result.table] == [f"blocks.{stage}" for stage in range(7)]
    assert result.table[3]["shape"] == "80 x 14 x 14"
    assert result.details["totals"]["parameters"] == 4_652_008


def test_a_bare_module_of_the_photos_own_size_is_left_alone():
    model = convscope.load_model(ByHand(), channels=1, size=(2, 2), mean=0.5, std=0.25)
    values = convscope.activations(model, PHOTO, layers=["conv"])["conv"]
    assert np.allclose(values[0, 0], 2 * (PHOTO - 0.5) / 0.25)


def test_mean_image_and_caffe_order():
    mean = torch.arange(12.0).reshape(3, 2, 2)
    preprocessing = Preprocessing(size=(2, 2), scale=255.0, bgr=True, mean_image=mean)
    image = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    entered = preprocessing.normalize(image)
    assert torch.allclose(entered[0, 0], image[0, 2] * 255 - mean[0], atol=1e-4)
    assert torch.allclose(preprocessing.denormalize(entered), image, atol=1e-6)


def test_the_result_follows_the_weights():
    """The identity in the provenance changes with the weights, also when they change in place."""
    model = convscope.load_model(Trunk(), size=16)
    first = model.identity
    assert model.identity == first
    with torch.no_grad():
        model.network.head.bias.add_(1)
    assert model.identity != first


@pytest.mark.parametrize("verb", ["predict", "activations", "explain"])
def test_leaves_no_trace(verb):
    torch.manual_seed(0)
    network = Trunk()
    network.head.weight.requires_grad = False
    before = snapshot(network)
    state = torch.get_rng_state()
    getattr(convscope, verb)(
        convscope.load_model(network, size=16), np.zeros((16, 16, 3), dtype=np.float32)
    )
    assert_unchanged(before, network)
    assert torch.equal(torch.get_rng_state(), state)


def test_random_weights_are_always_the_same():
    state = torch.get_rng_state()
    first = convscope.load_model("torchvision:squeezenet1_1", weights=False).identity
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert convscope.load_model("torchvision:squeezenet1_1", weights=False).identity == first


def test_weights_from_files(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(3)
    source = Trunk()
    torch.save(source.state_dict(), tmp_path / "w.pt")
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    torch.save(
        {"state_dict": {f"module.{key}": value for key, value in source.state_dict().items()}},
        tmp_path / "lightning.ckpt",
    )
    for name in ("w.pt", "w.safetensors", "lightning.ckpt"):
        network = Trunk()
        convscope.load_model(network, weights=tmp_path / name, size=16)
        assert all(
            torch.equal(a, b)
            for a, b in zip(
                network.state_dict().values(), source.state_dict().values(), strict=True
            )
        )


class Boom:
    def __reduce__(self):
        return (pytest.fail, ("code in a pickle was run",))


def test_weights_that_are_refused(tmp_path):
    torch.save({"w": Boom()}, tmp_path / "code.pt")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 4)
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    for name, sentence in (
        ("code.pt", "refused"),
        ("cut.pt", "cannot be read as weights|refused"),
        ("cut.safetensors", "cannot be read as weights"),
        ("other.pt", r"missing \(first.*1 unexpected \(other\)"),
        ("nowhere.pt", "no weights file"),
    ):
        with pytest.raises(ModelError, match=sentence):
            convscope.load_model(Trunk(), weights=tmp_path / name, size=16)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda model: convscope.explain(model, PHOTO, layer="cnv"),
            LayerError,
            "did you mean 'conv'",
        ),
        (
            lambda model: convscope.explain(model, PHOTO, method="saliency", layer="conv"),
            OptionError,
            "not at a layer",
        ),
        (
            lambda model: convscope.explain(model, PHOTO, method="saliency", nonsense=1),
            OptionError,
            "nonsense",
        ),
        (
            lambda model: convscope.predict(model, np.zeros((16, 16, 6), dtype=np.float32)),
            ImageError,
            "6 channel",
        ),
        (lambda model: convscope.predict(model, PHOTO, top=0), OptionError, "1 or more"),
        (lambda model: convscope.load_model(3), ModelError, "int was given"),
        (
            lambda model: convscope.load_model("torchvision:vgg160"),
            ModelError,
            "did you mean 'vgg16'",
        ),
        (
            lambda model: convscope.load_model("embedded", nonsense=1),
            OptionError,
            "no option 'nonsense'",
        ),
        (
            lambda model: convscope.load_model(ByHand(), nonsense=1),
            OptionError,
            "no option 'nonsense'",
        ),
    ],
)
def test_errors_are_one_sentence(call, error, sentence, by_hand):
    with pytest.raises(error, match=sentence) as caught:
        call(by_hand)
    assert isinstance(caught.value, ConvscopeError)
    assert "\n" not in str(caught.value)


def test_nan_is_never_drawn():
    network = ByHand()
    with torch.no_grad():
        network.conv.weight[0] = float("nan")
    with pytest.raises(NumericError, match="NaN"):
        convscope.explain(convscope.load_model(network, channels=1, size=2), PHOTO, layer="conv")
