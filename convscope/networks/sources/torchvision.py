from __future__ import annotations

from torch import nn
from torchvision import models as library

from convscope.core.ranges import ClassCount
from convscope.core.types import Foreign, Options
from convscope.errors import ModelError, OptionError, suggest
from convscope.networks.model import Model
from convscope.networks.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from convscope.networks.sources import register
from convscope.networks.weights import load_weights, with_random_weights, with_trained_weights

OWN_INITIALIZATION = {"googlenet": {"init_weights": True}, "inception_v3": {"init_weights": True}}
"""Networks that warn unless they are told whether to draw their weights as the paper did."""


DETECTOR_SIZE = (480, 480)
"""What a detector sees of a photo; it resizes that by itself (to 800 or 320 pixels)."""

MODULES = (library, library.detection, library.segmentation)
"""Where torchvision keeps the kinds of networks that look at one image."""


@register()
def torchvision(
    name: str, *, weights: bool | str | None = None, classes: ClassCount | None = None
) -> Model:
    """A classifier, detector or segmenter of torchvision; preprocessing and labels come from its
    default weights' metadata.

    Args:
        weights: False for random weights, or a local file; by default torchvision's own, downloaded
            on first use.
        classes: how many classes the head has, for weights of your own.

    Example:
        convscope.load_model("torchvision:vgg16", weights=False)
    """
    names = [name for module in MODULES for name in library.list_models(module=module)]
    if name not in names:
        raise ModelError(f"torchvision has no image network {name!r}; {suggest(name, names)}")
    choices = library.get_model_weights(name)
    default = choices.DEFAULT if len(choices) else None
    network = _network(name, weights, classes, default)
    if default is None:
        return Model(
            network,
            name=f"torchvision {name}",
            preprocessing=Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        )
    transforms = default.transforms()
    if not hasattr(transforms, "mean"):  # a detector normalizes by itself
        preprocessing = Preprocessing(DETECTOR_SIZE, interpolation="bilinear")
        return Model(
            network,
            name=f"torchvision {name}",
            preprocessing=preprocessing,
            labels=_labels(default, classes),
            task="detection",
        )
    crop = getattr(transforms, "crop_size", transforms.resize_size)[0]
    preprocessing = Preprocessing(
        (crop, crop),
        crop / transforms.resize_size[0],
        "bilinear" if "bilinear" in str(transforms.interpolation) else "bicubic",
        tuple(transforms.mean),
        tuple(transforms.std),
    )
    return Model(
        network,
        name=f"torchvision {name}",
        preprocessing=preprocessing,
        labels=_labels(default, classes),
        task="segmentation" if name in library.list_models(module=library.segmentation) else None,
    )


def _network(
    name: str, weights: bool | str | None, classes: int | None, default: Foreign
) -> nn.Module:
    """The network with trained, random or a file's weights; `default` are torchvision's, if any."""
    if weights is None or weights is True:
        if default is None:
            raise ModelError(
                f"torchvision:{name} has no trained weights; use weights=False for random ones or"
                " weights=PATH for a local file."
            )
        if classes not in (None, len(default.meta["categories"])):
            raise OptionError(
                f"torchvision's own weights have {len(default.meta['categories'])} classes; give"
                " classes= together with weights=."
            )
        trained: nn.Module = with_trained_weights(
            f"torchvision:{name}", lambda: library.get_model(name, weights=default)
        )
        return trained
    network_options: Options = dict(OWN_INITIALIZATION.get(name, {}))
    if classes is not None:
        network_options["num_classes"] = classes
    if name not in library.list_models(module=library):
        network_options["weights_backbone"] = None
    network = with_random_weights(lambda: library.get_model(name, weights=None, **network_options))
    if isinstance(weights, str):
        load_weights(network, weights)
    return network


def _labels(default: Foreign, classes: int | None) -> list[str] | None:
    """The names of the classes that the default weights know, if the head has as many."""
    categories: list[str] = default.meta["categories"]
    return categories if classes in (None, len(categories)) else None
