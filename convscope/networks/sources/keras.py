from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Literal

from convscope.core.quiet import without_warnings
from convscope.core.ranges import ClassCount
from convscope.core.types import Foreign
from convscope.errors import ModelError, OptionError, suggest
from convscope.networks.layout import Layout
from convscope.networks.model import Model
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.sources import register
from convscope.networks.sources._keras_support import (
    KerasNetwork,
    layers_of,
    library,
    preprocessing_of,
    split_head,
)

APPLICATIONS = "applications/"
USUAL_SIDE = 224


@register()
def keras(
    name: str,
    *,
    weights: bool | str | None = None,
    mode: Literal["caffe", "tf", "torch"] | None = None,
    classes: ClassCount | None = None,
) -> Model:
    """A Keras network from a `.keras` or `.h5` file, or `keras:applications/VGG16`; Keras runs on
    torch.

    Layers have Keras's names, those of nested networks with a slash ("vgg16/block5_conv3"). A
    softmax or sigmoid at the end is taken off, so that scores are logits. A file's network is given
    pixels in [0, 1], or from 0 to 255 where it scales them itself (a Rescaling or Normalization
    layer); applications have their own `preprocess_input`. A photo is squashed to the network's
    size, as Keras's `target_size` does, unless `resize="crop"` is said.

    Args:
        weights: for applications: False for random weights, or a local file; by default Keras's
            own, downloaded on first use.
        mode: how Keras's `preprocess_input` prepares pixels: "caffe" (BGR, mean subtracted), "tf"
            (-1 to 1) or "torch".
        classes: for applications: how many classes the head has.

    Example:
        convscope.load_model("keras:cats_vs_dogs.h5", labels=["cat", "dog"])
    """
    keras = library()
    prepare = None
    if name.startswith(APPLICATIONS):
        network, prepare = _application(keras, name.removeprefix(APPLICATIONS), weights, classes)
    else:
        if weights is not None or classes is not None:
            raise OptionError(
                "A Keras file has its own weights and classes; leave out weights= and classes=."
            )
        network = _from_file(keras, name)
    inputs = [tuple(tensor.shape) for tensor in network.inputs]
    if len(inputs) != 1 or len(inputs[0]) != 4:
        raise ModelError(
            f"keras:{name} takes {len(inputs)} input(s) of {inputs}, not one batch of images."
        )
    _, *sides = inputs[0]
    last = sides[2] is not None and sides[2] < (sides[0] or USUAL_SIDE)
    channels, size = (sides[2], sides[:2]) if last else (sides[0] or 3, sides[1:])
    if mode is not None:
        from keras.src.applications import imagenet_utils

        def prepare(pixels: Foreign) -> Foreign:
            return imagenet_utils.preprocess_input(pixels, data_format="channels_last", mode=mode)

    preprocessing = Preprocessing(
        (size[0] or USUAL_SIDE, size[1] or USUAL_SIDE), interpolation="bilinear", resize="squash"
    )
    head = split_head(keras, network)
    return Model(
        KerasNetwork(network),
        name=(
            f"Keras {name.removeprefix(APPLICATIONS)}" if prepare and not mode else Path(name).stem
        ),
        channels=channels,
        head=head,
        channels_last=last,
        layout=Layout(channels_last=last),
        modules=layers_of(network),
        preprocessing=preprocessing_of(network, prepare, preprocessing, channels),
        labels=_imagenet(network) if prepare and not mode else None,
    )


def _from_file(keras: Foreign, name: str) -> Foreign:
    if not os.path.isfile(name):
        raise ModelError(f"There is no Keras file {name!r}.")
    try:
        with without_warnings:
            network = keras.saving.load_model(name, compile=False, safe_mode=True)
    except Exception as error:
        said = " ".join(str(error).split())
        if "unsafe" in said or "Lambda" in said or "safe_mode" in said or "enable_unsafe" in said:
            raise ModelError(
                f"{name!r} holds Python code (a Lambda layer) that would run when it is loaded, so"
                " it is refused."
            ) from None
        if "No model config" in said or "No model found" in said:
            raise ModelError(
                f"{name!r} holds weights only; save the whole network with model.save()."
            ) from None
        raise ModelError(
            f"{name!r} cannot be read as a Keras network ({type(error).__name__}): {said[:200]}"
        ) from error
    if not getattr(network, "inputs", None):
        raise ModelError(
            f"{name!r} is a {type(network).__name__} without a known input; save a Sequential or"
            " Functional network."
        )
    return network


def _application(
    keras: Foreign, name: str, weights: bool | str | None, classes: int | None
) -> tuple[Foreign, Foreign]:
    """A network of `keras.applications` and its `preprocess_input`."""
    import inspect

    known = [key for key, value in vars(keras.applications).items() if inspect.isfunction(value)]
    if name not in known:
        raise ModelError(f"keras.applications has no network {name!r}; {suggest(name, known)}")
    make = getattr(keras.applications, name)
    wanted: Foreign = "imagenet" if weights in (None, True) else (weights or None)
    if wanted == "imagenet" and classes not in (None, 1000):
        raise OptionError(
            "Keras's own weights have 1000 classes; give classes= together with weights=."
        )
    state = random.getstate()
    try:
        random.seed(0)
        with without_warnings:
            network = make(weights=wanted, **({} if classes is None else {"classes": classes}))
    except Exception as error:
        if wanted == "imagenet":
            raise ModelError(
                f"The weights of keras:applications/{name} could not be fetched"
                f" ({type(error).__name__}); use weights=False for random ones or weights=PATH for"
                " a local file."
            ) from error
        raise ModelError(
            f"The weights in {weights!r} do not fit keras:applications/{name}"
            f" ({type(error).__name__})."
        ) from error
    finally:
        random.setstate(state)
    return network, inspect.getmodule(make).preprocess_input  # type: ignore[union-attr]


def _imagenet(network: Foreign) -> list[str] | None:
    """Keras's ImageNet classes are in the usual order."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return (
        [info.index_to_description(index) for index in range(1000)]
        if network.outputs[0].shape[-1] == 1000
        else None
    )
