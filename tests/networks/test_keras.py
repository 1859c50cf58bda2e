"""Keras networks against Keras itself: activations and Grad-CAM computed with Keras's own layers
and torch's autograd."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

import convscope
from convscope.networks.sources._keras_support import library
from tests.user_networks import cats_and_dogs

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras warns about HDF5 and about NumPy 2
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def cats(tmp_path_factory):
    """The cats-vs-dogs network, trained for a moment to tell warm pictures from cold ones, and its
    two files."""
    folder = tmp_path_factory.mktemp("cats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = cats_and_dogs(side=48, units=(8, 8, 16, 16)[:3], dense=16)
        pictures = np.random.default_rng(0).random((64, 48, 48, 3), dtype=np.float32) * 0.5
        answers = np.arange(64) % 2
        pictures[answers == 1, :, :, 0] += 0.5
        pictures[answers == 0, :, :, 2] += 0.5
        library().utils.set_random_seed(0)
        network.compile("adam", "binary_crossentropy")
        network.fit(pictures, answers, epochs=8, batch_size=16, verbose=0)
        network.save(folder / "cats.h5")
        network.save(folder / "cats.keras")
    return network, folder, pictures, answers


@pytest.fixture(scope="module", params=[".h5", ".keras"])
def opened(cats, request):
    network, folder, pictures, answers = cats
    return (
        network,
        convscope.load_model(f"keras:{folder}/cats{request.param}", labels=["dog"]),
        pictures,
        answers,
    )


def test_it_learnt_and_says_so_through_a_sigmoid(opened):
    network, model, pictures, answers = opened
    values = convscope.predict(model, pictures)["probability"][:, 0]
    with torch.no_grad():
        wanted = network(torch.from_numpy(pictures), training=False).numpy()[:, 0]
    assert np.abs(values - wanted).max() < TOLERANCE
    assert ((values > 0.5) == answers).mean() > 0.9
    assert model.head == "sigmoid"


def test_activations_are_keras_own(opened):
    network, model, pictures, _ = opened
    keras = library()
    for name in ("conv2d_1", "pool_2", "conv2d_3", "dense"):
        part = keras.Model(network.inputs, network.get_layer(name).output)
        with torch.no_grad():
            wanted = part(torch.from_numpy(pictures[:2]), training=False).numpy()
        values = convscope.activations(model, pictures[:2], layers=[name])[name]
        wanted = wanted.transpose(0, 3, 1, 2) if wanted.ndim == 4 else wanted[:, :, None, None]
        assert values.shape == wanted.shape
        assert np.abs(values - wanted).max() < TOLERANCE


def test_grad_cam_is_what_keras_gives_by_hand(opened):
    """Chollet's recipe: the gradient of the score before the sigmoid at the last convolution,
    averaged over places."""
    network, model, pictures, _ = opened
    layers = network.layers
    place = [layer.name for layer in layers].index("conv2d_3")
    maps = torch.from_numpy(pictures[:1])
    with torch.no_grad():
        for layer in layers[: place + 1]:
            maps = layer(maps, training=False)
    maps = maps.detach().requires_grad_()
    tensor = maps
    for layer in layers[place + 1 : -1]:
        tensor = layer(tensor, training=False)
    score = tensor @ layers[-1].kernel.value + layers[-1].bias.value
    gradient = torch.autograd.grad(score.sum(), maps)[0]
    wanted = (maps * gradient.mean((1, 2), keepdim=True)).sum(3).detach().numpy()
    values = convscope.explain(model, pictures[:1], method="grad_cam", target=0, layer="conv2d_3")[
        "attribution"
    ][:, 0]
    assert np.abs(values - wanted).max() <= TOLERANCE * np.abs(wanted).max()


def test_nested_layers_have_keras_names_and_caffe_preprocessing(tmp_path):
    keras = library()
    state = random.getstate()
    base = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3, name="block5_conv3")], name="vgg16"
    )
    whole = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            base,
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    whole.save(tmp_path / "nested.keras")
    random.setstate(state)
    model = convscope.load_model(tmp_path / "nested.keras", mode="caffe")
    assert {"vgg16/block5_conv3", "vgg16"} <= {row["name"] for row in convscope.layers(model).table}
    pixels = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.float32)
    wanted = keras.applications.vgg16.preprocess_input(pixels.copy())
    entered = (
        model.preprocess(torch.from_numpy(pixels / 255).permute(0, 3, 1, 2))
        .permute(0, 2, 3, 1)
        .numpy()
    )
    assert np.abs(entered - wanted).max() < 1e-3
    with torch.no_grad():
        assert (
            np.abs(
                convscope.predict(model, pixels / 255)["probability"]
                - whole(wanted, training=False).numpy()
            ).max()
            < TOLERANCE
        )


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_the_modes_are_keras_own(cats, mode):
    from keras.src.applications import imagenet_utils

    _, folder, pictures, _ = cats
    model = convscope.load_model(f"keras:{folder}/cats.keras", mode=mode)
    wanted = imagenet_utils.preprocess_input(pictures[:1] * 255, mode=mode)
    entered = (
        model.preprocess(torch.from_numpy(pictures[:1]).permute(0, 3, 1, 2))
        .permute(0, 2, 3, 1)
        .numpy()
    )
    assert np.abs(entered - wanted).max() < 1e-3


def test_scale_is_said_for_8_bit_pixels(cats):
    _, folder, _pictures, _ = cats
    for scale, white in ((1 / 255, 1.0), (1, 255.0)):
        model = convscope.load_model(f"keras:{folder}/cats.keras", scale=scale)
        assert torch.allclose(
            model.preprocess(torch.ones(1, 3, 48, 48)), torch.full((1, 3, 48, 48), white)
        )


def test_applications_bring_their_own_preprocessing():
    model = convscope.load_model("keras:applications/MobileNetV2", weights=False)
    assert torch.allclose(
        model.preprocess(torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2).expand(1, 3, 1, 2))[0, 0, 0],
        torch.tensor([-1.0, 1.0]),
    )
    assert model.label(281).startswith("tabby")


def test_another_backend_is_a_sentence():
    code = (
        "import sys, types\nkeras = types.ModuleType('keras')\nkeras.config ="
        " types.SimpleNamespace(backend=lambda: 'jax')\nsys.modules['keras'] = keras\nfrom"
        " convscope.networks.sources._keras_support import library\nlibrary()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Keras already runs on jax" in done.stderr
