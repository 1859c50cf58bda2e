from __future__ import annotations

from typing import Any

import timm as library
from timm.data import ImageNetInfo

from convscope.errors import ModelError, suggest
from convscope.model import Model, Preprocessing
from convscope.models import register
from convscope.models._weights import load_weights, random_weights


@register()
def timm(name: str, *, weights: bool | str | None = None) -> Model:
    """Any network of timm; size, mean, std and labels come from its `pretrained_cfg`.

    Args:
        weights: False for random weights, or a local file; by default timm's own, downloaded on first use.
    """
    if not library.is_model(name):
        raise ModelError(f"timm has no network {name!r}; {suggest(name, library.list_models())}")
    pretrained = weights is None or weights is True
    try:
        network: Any = random_weights(lambda: library.create_model(name, pretrained=pretrained))
    except Exception as error:
        raise ModelError(
            f"The weights of timm:{name} could not be fetched ({type(error).__name__}); "
            "use weights=False for random ones or weights=PATH for a local file."
        ) from error
    if isinstance(weights, str):
        load_weights(network, weights)
    known = network.pretrained_cfg
    channels, height, width = known["input_size"]
    interpolation = known.get("interpolation", "bicubic")
    preprocessing = Preprocessing(
        (height, width),
        known.get("crop_pct", 1.0),
        interpolation if interpolation in ("bicubic", "bilinear") else "bicubic",
        tuple(known["mean"]),
        tuple(known["std"]),
    )
    info = ImageNetInfo()
    labels = [info.index_to_description(index) for index in range(1000)] if known.get("num_classes") == 1000 else None
    return Model(network, name=f"timm {name}", preprocessing=preprocessing, labels=labels, channels=channels)
