"""Load a network by name, from a file, or from a module in memory.

A network is named `source:name` ("torchvision:vgg16"), or by a file whose ending says what it is
("net.onnx", "net.keras", "card.toml"); the embedded one is the default.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import nn

from convscope.core.memory import available_memory
from convscope.core.ranges import Fraction, PositiveFloat, Side
from convscope.core.types import Options, Task
from convscope.core.validation import checked
from convscope.errors import ModelError, OptionError, suggest
from convscope.networks import options as user_options
from convscope.networks.catalog import require_source
from convscope.networks.layout import Layout
from convscope.networks.memory_errors import memory_errors
from convscope.networks.model import Model
from convscope.networks.options import MeanImage
from convscope.networks.preprocessing import Preprocessing
from convscope.networks.source_registry import registry
from convscope.networks.torch_settings import plain_torch_settings

DEFAULT = "embedded"

ENDINGS = {
    ".toml": "card",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".onnx": "onnx",
    ".pt2": "pt2",
    ".pt": "file",
    ".pth": "file",
    ".ckpt": "file",
    ".safetensors": "file",
}
"""File ending -> source, so that a file can be named without one."""

HEAD_FEATURES = 512
"""Numbers that a head has for each class: ResNet-18's, most others have more."""


ModelLike: TypeAlias = Model | nn.Module | str | Path | None
"""What `load_model` takes: `source:name`, a file, a module, or nothing for the embedded network."""


@plain_torch_settings()
@checked("model", "mean_image")
def load_model(
    model: ModelLike = None,
    *,
    weights: bool | str | Path | None = None,
    size: Side | Sequence[Side] | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[PositiveFloat] | PositiveFloat | None = None,
    scale: PositiveFloat | None = None,
    bgr: bool | None = None,
    mean_image: MeanImage | None = None,
    crop: Fraction | None = None,
    interpolation: Literal["bicubic", "bilinear", "nearest"] | None = None,
    resize: Literal["crop", "squash"] | None = None,
    head: Literal["softmax", "sigmoid", "probability"] | None = None,
    labels: Sequence[str] | str | Path | None = None,
    task: Task | None = None,
    inputs: dict[str, object] | None = None,
    device: str | None = None,
    trust: bool = False,
    **options: object,
) -> Model:
    """A network ready to be looked into.

    Its input is `(pixels * scale - mean_image - mean) / std`; what is not given here is what the
    source knows of it.

    Args:
        model: nothing for the embedded EfficientNet-Lite0, `source:name`, a file, any
            `nn.Module`, or a Model: the new one has the same network, and the old one stays as it
            is. A network from a source comes in evaluation mode; a module's mode is left as it is.
        weights: nothing for the source's own trained weights, False for random ones (always the
            same), or a local file (.safetensors, or a state dict that
            `torch.load(weights_only=True)` reads).
        size: input height and width, where they differ from what the source says (224 for a bare
            module).
        mean: mean to subtract from each channel, after `scale`: in [0, 1] units if that is 1/255.
        std: standard deviation to divide each channel by, in the same units.
        scale: what pixel values from 0 to 255 are multiplied by: 1/255 for a network that takes [0,
            1], 1 for one that takes them as they are.
        bgr: whether the network wants blue first.
        mean_image: a mean image to subtract, in the same units as `mean`: a .npy file or a picture.
        crop: the share of the photo's shorter side that the network sees.
        interpolation: how a photo is resized.
        resize: "crop" resizes the shorter side and cuts out the middle; "squash" brings the whole
            photo to the size, whatever its proportions, as Keras's `target_size` does (the default
            for Keras files).
        head: how the last scores become probabilities; `probability` says that they already are.
        labels: the class names, a text such as "cat,dog", or a text file with one a line; WordNet
            ids ("n02504458") are read as their words.
        task: what the output means (classification, multi-label, regression, detection,
            segmentation, embedding), where one run cannot show it: several sigmoids, or a
            regression.
        inputs: what a module takes beside the image, by name; it stays the same for all images.
        device: where to run, such as "cpu" or "cuda".
        trust: open files that run code when they are opened (TorchScript, cards that name Python,
            .pt2 archives with pickles); say so only of files whose author you know.
        options: what else the source takes; for a bare module `name`, `channels`, `layout` and
            `channels_last`.

    Raises:
        ModelError: there is no such network, its weights do not load, or the labels are not as many
            as its classes.
        OptionError: an option the source does not have, or a value that does not fit.

    Example:
        model = convscope.load_model("timm:resnet18", weights=False)
    """
    with memory_errors("load_model", "take a smaller network, or fewer classes"):
        loaded = _loaded(model, weights, options, {"trust": trust, "side": size})
    changes: Options = {"size": size, "mean": mean, "std": std, "scale": scale, "bgr": bgr}
    changes |= {"crop": crop, "interpolation": interpolation, "mean_image": mean_image}
    changes["resize"] = resize
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes:
        loaded.preprocessing = user_options.preprocessing(
            loaded.preprocessing, loaded.channels, changes
        )
    changes |= _set_meaning(loaded, task, head, inputs)
    if labels is not None:
        named = user_options.labels(labels)
        _check_labels(loaded, named)
        loaded.labels = named
        changes["labels"] = list(named)
    loaded.options |= {
        name: str(value) if isinstance(value, Path) else value for name, value in changes.items()
    }
    if device and isinstance(model, Model) and loaded.device != torch.device(device):
        loaded.network = copy.deepcopy(loaded.network)  # moving a module moves it for everybody
    return loaded.to(device) if device else loaded


def _loaded(
    model: ModelLike, weights: bool | str | Path | None, options: Options, call_options: Options
) -> Model:
    """A new Model, as its source, its module or the old Model says."""
    if isinstance(model, Model):
        if weights is not None or options:
            late = "weights" if weights is not None else next(iter(options))
            raise OptionError(
                f"{model.name} is loaded already, so {late}= comes too late; load it again by name."
            )
        loaded = copy.copy(model)
        loaded.options = dict(model.options)
        return loaded
    if isinstance(model, nn.Module):
        return _bare(model, weights, options)
    if model is None or isinstance(model, (str, Path)):
        spec = DEFAULT if model is None else str(model)
        return _from_source(spec, weights, options, call_options)
    kind = type(model).__name__
    raise ModelError(
        f"A model is a name such as 'torchvision:vgg16' or an nn.Module; {kind} was given."
    )


def full_spec(spec: str) -> str:
    """`source:name` for what the user wrote: a bare file name is given its source by its ending."""
    source = spec.partition(":")[0]
    ending = Path(spec).suffix.lower()
    return f"{ENDINGS[ending]}:{spec}" if source not in registry and ending in ENDINGS else spec


def _from_source(
    spec: str, weights: bool | str | Path | None, options: Options, call_options: Options
) -> Model:
    source, _, name = full_spec(spec).partition(":")
    if source not in registry and not name:
        require_source(spec)
    if source not in registry:
        raise ModelError(
            f"There is no model source {source!r} (in {spec!r}); a model is written source:name,"
            f" and {suggest(source, registry.names())}"
        )
    checked = registry.schema(source).validate(
        {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    )
    _require_room_for_head(checked.get("classes"))
    if isinstance(weights, (str, Path)) and not os.path.isfile(weights):
        raise ModelError(f"There is no weights file {str(weights)!r}.")
    weights = str(weights) if isinstance(weights, Path) else weights
    # What is said to the sources that ask for it, and not written down with the options, which
    # files carry on: a word of trust holds for this call, and the size is written down by itself.
    checked.pop("trust", None)
    asked = {option.name for option in registry.schema(source).options} - checked.keys()
    said = {
        word: call_options[word]
        for word in asked & call_options.keys()
        if call_options[word] is not None
    }
    loaded: Model = registry.get(source)(name, weights=weights, **checked, **said)
    with contextlib.suppress(NotImplementedError):  # an exported program has one mode only
        loaded.network.eval()
    loaded.spec = spec
    loaded.options = {**({"weights": weights} if weights is not None else {}), **checked}
    return loaded


def _require_room_for_head(classes: int | None) -> None:
    """Refuse a head that has surely no room: the system may end a process that asks for it.

    Raises:
        OptionError: it needs more than what is free.
    """
    free = available_memory()
    needed = (classes or 0) * HEAD_FEATURES * 4
    if free is not None and needed > free:
        raise OptionError(
            f"classes={classes:,} needs {needed / 2**30:.1f} GiB for the head alone, and"
            f" {free / 2**30:.1f} GiB are free."
        )


def _bare(network: nn.Module, weights: bool | str | Path | None, options: Options) -> Model:
    from convscope.networks.weights import load_weights

    model_options = {"name", "channels", "layout", "channels_last"}
    for name in options.keys() - model_options:
        known = [
            *model_options,
            *(
                name
                for name, parameter in inspect.signature(load_model).parameters.items()
                if parameter.kind is parameter.KEYWORD_ONLY
            ),
        ]
        raise OptionError(
            f"load_model has no option {name!r} for a bare module; {suggest(name, sorted(known))}"
        )
    if weights is True:
        raise OptionError(
            "A bare module has no trained weights of its own; give weights=PATH, or leave it out to"
            " use it as it is."
        )
    if weights:
        load_weights(network, str(weights))
    last = bool(options.get("channels_last"))
    return Model(
        network,
        name=options.get("name"),
        channels=options.get("channels") or user_options.channels_of(network),
        layout=options.get("layout") or Layout(channels_last=last),
        channels_last=last,
        preprocessing=Preprocessing(),
    )


def _set_meaning(
    model: Model,
    task: Task | None,
    head: Literal["softmax", "sigmoid", "probability"] | None,
    inputs: Options | None,
) -> Options:
    """What the user says of the output and of further inputs; the options to write down for it."""
    said: Options = {}
    if task is not None:
        model.task = said["task"] = task
    if head is not None:
        model.head = said["head"] = head
    if inputs is not None:
        model.inputs = dict(inputs)
        said["inputs"] = dict.fromkeys(inputs, "<in memory>")
    return said


def _check_labels(model: Model, labels: tuple[str, ...]) -> None:
    """Labels must be as many as the scores, or two for one score. A network that cannot be run like
    this, or gives no class scores, is left to the verbs."""
    try:
        facts = model.score_facts
    except Exception:
        return
    count = facts.count
    if facts.is_minimum and count <= len(labels):
        return
    if len(labels) != count and (count, len(labels)) != (1, 2):
        raise ModelError(f"{model.name} has {count} classes, but {len(labels)} labels were given.")
