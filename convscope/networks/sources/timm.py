from __future__ import annotations

import timm as library
from timm.data import ImageNetInfo

from convscope.core.ranges import ChannelCount, ClassCount
from convscope.core.types import Foreign, Options
from convscope.errors import ModelError, suggest
from convscope.networks.model import Model
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.sources import register
from convscope.networks.sources._hub import hub
from convscope.networks.weights import (
    draw_zero_matrices,
    load_weights,
    with_random_weights,
    with_trained_weights,
)


@register()
def timm(
    name: str,
    *,
    weights: bool | str | None = None,
    classes: ClassCount | None = None,
    channels: ChannelCount | None = None,
) -> Model:
    """Any network of timm; size, mean, std and labels come from its `pretrained_cfg`.

    Args:
        weights: False for random weights, or a local file; by default timm's own, downloaded on
            first use.
        classes: how many classes the head has, for weights of your own.
        channels: how many channels the input has, for weights of your own.

    Example:
        convscope.load_model("timm:resnet18", weights="mine.safetensors", classes=7)
    """
    if not library.is_model(name):
        raise ModelError(
            f"timm has no network {name!r};"
            f" {suggest(name.partition('.')[0], library.list_models())}"
        )
    network_options: Options = {
        key: value
        for key, value in (("num_classes", classes), ("in_chans", channels))
        if value is not None
    }
    if weights is None or weights is True:
        if (
            library.get_pretrained_cfg(name) is None
            or not library.get_pretrained_cfg(name).has_weights
        ):
            raise ModelError(
                f"timm:{name} has no trained weights; use weights=False for random ones or"
                " weights=PATH for a local file."
            )
        with hub():
            network: Foreign = with_trained_weights(
                f"timm:{name}",
                lambda: _with_trained_body(name, network_options),
            )
    else:
        network = with_random_weights(
            lambda: library.create_model(name, pretrained=False, **network_options)
        )
    if isinstance(weights, str):
        load_weights(network, weights)
    known = network.pretrained_cfg
    depth, height, width = known["input_size"]
    count = channels or depth
    interpolation = known.get("interpolation", "bicubic")
    preprocessing = Preprocessing(
        (height, width),
        known.get("crop_pct", 1.0),
        interpolation if interpolation in ("bicubic", "bilinear") else "bicubic",
        tuple(known["mean"]) if count == depth else (sum(known["mean"]) / depth,),
        tuple(known["std"]) if count == depth else (sum(known["std"]) / depth,),
    )
    return Model(
        network,
        name=f"timm {name}",
        preprocessing=preprocessing,
        labels=_labels(known, network),
        channels=count,
    )


def _with_trained_body(name: str, network_options: Options) -> Foreign:
    """timm's trained network; a head for other classes than its own is random, and drawn where it
    starts at zero (MLP-Mixer's)."""
    network = library.create_model(name, pretrained=True, **network_options)
    if network.num_classes != network.pretrained_cfg.get("num_classes"):
        heads = network.get_classifier()
        for head in heads if isinstance(heads, tuple) else (heads,):
            draw_zero_matrices(head)
    return network


def _labels(known: Options, network: Foreign) -> list[str] | None:
    """ImageNet's labels where the head has its classes, or those that came with the weights."""
    classes = getattr(network, "num_classes", None)
    if known.get("label_names") and len(known["label_names"]) == classes:
        return list(known["label_names"])
    if classes == 1000 and known.get("num_classes") == 1000:
        info = ImageNetInfo()
        return [info.index_to_description(index) for index in range(1000)]
    return None
