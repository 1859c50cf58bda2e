from __future__ import annotations

from typing import Any

from torchvision import models as library

from convscope.errors import ModelError, suggest
from convscope.model import IMAGENET_MEAN, IMAGENET_STD, Model, Preprocessing
from convscope.models import register
from convscope.models._weights import load_weights, random_weights


@register()
def torchvision(name: str, *, weights: bool | str | None = None) -> Model:
    """A classifier of torchvision; preprocessing and labels come from its default weights' metadata.

    Args:
        weights: False for random weights, or a local file; by default torchvision's own, downloaded on first use.
    """
    names = library.list_models(module=library)
    if name not in names:
        raise ModelError(f"torchvision has no classifier {name!r}; {suggest(name, names)}")
    choices = library.get_model_weights(name)
    default = choices.DEFAULT if len(choices) else None
    options: dict[str, Any] = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    try:
        if weights is None or weights is True:
            network = library.get_model(name, weights=default)
        else:
            network = random_weights(lambda: library.get_model(name, weights=None, **options))
    except Exception as error:
        raise ModelError(
            f"The weights of torchvision:{name} could not be fetched ({type(error).__name__}); "
            "use weights=False for random ones or weights=PATH for a local file."
        ) from error
    if isinstance(weights, str):
        load_weights(network, weights)
    if default is None:
        return Model(network, name=f"torchvision {name}", preprocessing=Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD))
    transforms = default.transforms()
    crop = transforms.crop_size[0]
    preprocessing = Preprocessing(
        (crop, crop),
        crop / transforms.resize_size[0],
        "bilinear" if "bilinear" in str(transforms.interpolation) else "bicubic",
        tuple(transforms.mean),
        tuple(transforms.std),
    )
    return Model(network, name=f"torchvision {name}", preprocessing=preprocessing, labels=default.meta["categories"])
