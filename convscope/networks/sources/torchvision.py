from __future__ import annotations

from typing import Annotated

from annotated_types import Ge
from torchvision import models as library

from convscope.core.types import Options
from convscope.errors import ModelError, OptionError, suggest
from convscope.networks.model import Model
from convscope.networks.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from convscope.networks.sources import register
from convscope.networks.weights import load_weights, random_weights, with_trained_weights

OWN_INITIALIZATION = {"googlenet": {"init_weights": True}, "inception_v3": {"init_weights": True}}
"""Networks that warn unless they are told whether to draw their weights as the paper did."""


@register()
def torchvision(
    name: str, *, weights: bool | str | None = None, classes: Annotated[int, Ge(1)] | None = None
) -> Model:
    """A classifier of torchvision; preprocessing and labels come from its default weights'
    metadata.

    Args:
        weights: False for random weights, or a local file; by default torchvision's own, downloaded
            on first use.
        classes: how many classes the head has, for weights of your own.

    Example:
        convscope.load_model("torchvision:vgg16", weights=False)
    """
    names = library.list_models(module=library)
    if name not in names:
        raise ModelError(f"torchvision has no classifier {name!r}; {suggest(name, names)}")
    choices = library.get_model_weights(name)
    default = choices.DEFAULT if len(choices) else None
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
        network = with_trained_weights(
            f"torchvision:{name}", lambda: library.get_model(name, weights=default)
        )
    else:
        own: Options = OWN_INITIALIZATION.get(name, {}) | (
            {} if classes is None else {"num_classes": classes}
        )
        network = random_weights(lambda: library.get_model(name, weights=None, **own))
    if isinstance(weights, str):
        load_weights(network, weights)
    if default is None:
        return Model(
            network,
            name=f"torchvision {name}",
            preprocessing=Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        )
    transforms = default.transforms()
    crop = transforms.crop_size[0]
    preprocessing = Preprocessing(
        (crop, crop),
        crop / transforms.resize_size[0],
        "bilinear" if "bilinear" in str(transforms.interpolation) else "bicubic",
        tuple(transforms.mean),
        tuple(transforms.std),
    )
    labels = (
        default.meta["categories"] if classes in (None, len(default.meta["categories"])) else None
    )
    return Model(network, name=f"torchvision {name}", preprocessing=preprocessing, labels=labels)
