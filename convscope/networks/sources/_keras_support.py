"""Keras 3 on torch: chosen before it is imported, its layers by its own names, its head split, its
preprocessing measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
from torch import Tensor, nn

from convscope.core.types import Foreign
from convscope.errors import ExtraError, ModelError
from convscope.networks.model import Head
from convscope.networks.preprocessing import Preprocessing

SCALING = ("Rescaling", "Normalization")
"""Layers that say that a network takes pixels from 0 to 255."""


SAFE_VERSION = (3, 12)
"""The first Keras whose safe mode holds for .keras and .h5 files alike (mended there:
CVE-2025-1550, -8747, -9905, -9906, -12058 and -12638)."""


def library() -> ModuleType:
    """The Keras module, on torch.

    Raises:
        ExtraError: it is not installed; ModelError: it already runs on another backend in this
            process.
    """
    before = os.environ.get("KERAS_BACKEND")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        raise ExtraError("keras", "keras") from None
    finally:
        (
            os.environ.pop("KERAS_BACKEND", None)
            if before is None
            else os.environ.update(KERAS_BACKEND=before)
        )
    if keras.config.backend() != "torch":
        raise ModelError(
            f"Keras already runs on {keras.config.backend()} in this process, and Convscope needs"
            " it on torch: set KERAS_BACKEND=torch before Keras is first imported."
        )
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < SAFE_VERSION:
        raise ModelError(
            f"Keras {keras.__version__} can be made to run code by the files it opens; Convscope"
            f" needs {'.'.join(map(str, SAFE_VERSION))} or later: pip install -U keras."
        )
    module: ModuleType = keras
    return module


class KerasNetwork(nn.Module):
    """A Keras network that computes where its input is; Keras itself moves everything to one
    default device."""

    # The name that identities have held since the first version, so that old records still fit.
    identity_name = "Seated"

    def __init__(self, network: Foreign) -> None:
        super().__init__()
        self.network = network
        # Keras keeps its layers where PyTorch does not look for modules.
        self.parts = nn.ModuleList(layers_of(network).values())
        self.register_state_dict_post_hook(_without_seeds)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> object:
        """The network's output for n h w c (or n c h w, as it was made)."""
        import keras

        with keras.device(str(images.device)):
            return self.network(images, training=False)


def _without_seeds(
    module: nn.Module, state: dict[str, Foreign], prefix: str, more: Foreign
) -> None:
    """A dropout's random state is another one at every start, and no weight."""
    for name in [name for name in state if "seed_generator" in name]:
        del state[name]


def layers_of(network: Foreign, prefix: str = "") -> dict[str, nn.Module]:
    """Keras's layer names -> layers; those of a nested network behind its name and a slash."""
    layers: dict[str, nn.Module] = {}
    for layer in network.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        layers |= (
            layers_of(layer, f"{prefix}{layer.name}/") if getattr(layer, "layers", None) else {}
        )
        layers[f"{prefix}{layer.name}"] = layer
    return layers


def split_head(keras: Foreign, network: Foreign) -> Head | None:
    """Take a softmax or sigmoid off the end; how scores become probabilities then."""
    last = network.outputs[0]._keras_history.operation
    if getattr(last, "layers", None):
        return split_head(keras, last)
    activation = getattr(last, "activation", None)
    if type(last).__name__ == "Softmax":
        last.call = lambda inputs, mask=None: inputs
        return "softmax"
    heads: dict[Foreign, Head] = {
        keras.activations.softmax: "softmax",
        keras.activations.sigmoid: "sigmoid",
    }
    if activation not in heads:
        return None
    last.activation = keras.activations.linear
    return heads[activation]


def preprocessing_of(
    network: Foreign,
    prepare: Callable[[Foreign], Foreign] | None,
    known: Preprocessing,
    channels: int,
) -> Preprocessing:
    """What the network wants of pixels: as `preprocess_input` does it, measured on three colors, or
    as its layers say."""
    if prepare is None:
        scales_itself = any(
            type(layer).__name__ in SCALING for layer in layers_of(network).values()
        )
        return replace(known, scale=255.0 if scales_itself else 1.0)
    if channels != 3:
        raise ModelError(
            f"Keras's preprocess_input is for three channels; this network takes {channels}: leave"
            " out mode=."
        )
    pixels = np.zeros((1, 4, 1, 3), dtype=np.float32)
    for channel in range(3):
        pixels[0, channel + 1, 0, channel] = 255.0
    prepared = np.array(prepare(pixels.copy()))[0, :, 0]
    rise = (prepared[1:] - prepared[0]) / 255.0
    bgr = bool(rise[0, 2] != 0)
    slope = np.diag(rise[:, ::-1] if bgr else rise)
    std = tuple(float(1 / factor) for factor in (slope[::-1] if bgr else slope))
    mean = tuple(float(-start * factor) for start, factor in zip(prepared[0], std, strict=True))
    return replace(known, scale=255.0, bgr=bgr, mean=mean, std=std)
