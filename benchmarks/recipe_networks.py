"""The networks that the classic recipes are for, and how each is opened.

Weights are random but for the embedded network; the network of 64 px is the embedded one behind a
resize, with pixels from 0 to 255 and a mean image.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

import convscope
from benchmarks.recipe_loops import Network
from convscope.networks.model import Model


class Behind64(nn.Module):
    """A network of 224 px that takes 64 px from 0 to 255, a mean image subtracted."""

    mean: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner = network
        coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(5))
        mean = 110 + 20 * interpolate(coarse, (64, 64), mode="bilinear")
        self.register_buffer("mean", mean)

    def forward(self, pixels: Tensor) -> Tensor:
        image = (pixels + self.mean) / 255
        normal = (image - 0.5) / 0.5
        scores: Tensor = self.inner(interpolate(normal, (128, 128), mode="bilinear"))
        return scores


def networks(folder: Path) -> dict[str, Callable[[], Network]]:
    """Name -> a function that opens the network."""

    def behind64() -> Network:
        embedded = convscope.load_model()
        wrapped = Behind64(embedded.network)
        model = convscope.load_model(
            wrapped, size=64, scale=1, mean_image=wrapped.mean[0], labels=embedded.labels
        )
        return Network("64 px, 0 to 255", model, "inner.blocks.2", is_fixed=True)

    def torchvision(name: str, layer: str) -> Callable[[], Network]:
        def load() -> Network:
            model = convscope.load_model(f"torchvision:{name}", weights=False, size=64)
            return Network(name, _with_signal(model), layer)

        return load

    return {
        "embedded": lambda: Network(
            "EfficientNet-Lite0", convscope.load_model(size=112), "blocks.2"
        ),
        "64px": behind64,
        "squeezenet": torchvision("squeezenet1_1", "features.6"),
        "googlenet": torchvision("googlenet", "inception4a"),
        "keras_cats": lambda: Network("Keras 4-conv .h5", _keras_cats(folder), "conv2d_3"),
        "keras_vgg16": lambda: Network(
            "Keras VGG16", _keras_vgg16(folder), "block3_conv1", is_fixed=True
        ),
    }


def _with_signal(model: Model) -> Model:
    """Random weights through which signals keep their size (He et al., 2015)."""
    generator = torch.Generator().manual_seed(1)
    for module in model.network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight[0].numel()
            with torch.no_grad():
                noise = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(noise * (2 / fan) ** 0.5)
    return model


def _keras_vgg16(folder: Path) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    network = keras.applications.VGG16(weights=None, input_shape=(64, 64, 3))
    network.save(folder / "vgg16.keras")
    return convscope.load_model(
        f"keras:{folder}/vgg16.keras", scale=1, bgr=True, mean=[103.939, 116.779, 123.68], std=1
    )


def _keras_cats(folder: Path) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    layers = [keras.Input((96, 96, 3))]
    for place, count in enumerate((32, 64, 128, 128), start=1):
        name = f"conv2d_{place}"
        layers.append(
            keras.layers.Conv2D(
                count, 3, activation="relu", name=name, kernel_initializer="he_normal"
            )
        )
        layers.append(keras.layers.MaxPooling2D(2))
    layers += [keras.layers.Flatten(), keras.layers.Dropout(0.5)]
    layers += [keras.layers.Dense(512, activation="relu", kernel_initializer="he_normal")]
    layers += [keras.layers.Dense(1, activation="sigmoid")]
    keras.Sequential(layers).save(folder / "cats.h5")
    return convscope.load_model(f"keras:{folder}/cats.h5", labels="cat,dog")
