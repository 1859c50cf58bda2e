from __future__ import annotations

import os
import tomllib
from pathlib import Path

from convscope.core.types import Options
from convscope.errors import ModelError, suggest
from convscope.networks.load import full_spec, load_model
from convscope.networks.model import Model
from convscope.networks.sources import register, registry
from convscope.networks.trust import require_trust

PREPROCESSING = (
    "size",
    "mean",
    "std",
    "scale",
    "bgr",
    "mean_image",
    "crop",
    "interpolation",
    "resize",
)
OTHERS = ("name", "architecture", "weights", "labels", "head", "task", "preprocessing")
PATHS = ("weights", "labels", "mean_image")


@register()
def card(name: str, *, weights: bool | str | None = None, trust: bool = False) -> Model:
    """A model card: a small TOML file that makes a private network one word.

    `architecture` is what `load_model` takes ("timm:resnet50", "keras:net.h5",
    "python:MODULE:FUNCTION"); `weights`, `labels` (a file or a list), `head`, `task`, `name`
    and the source's own options stand beside it; `[preprocessing]` has size, mean, std, scale, bgr,
    mean_image, crop, interpolation, resize. Paths are relative to the card. A card is data: one
    that names Python code (`python:`) or a file that could run code is followed only if it is
    trusted.

    Args:
        weights: in place of the card's: False for random ones, or a local file.
        trust: follow a card that names code.

    Example:
        convscope.load_model("tiny_imagenet.toml")
    """
    path = Path(name)
    if not os.path.isfile(path):
        raise ModelError(f"The model card {name!r} cannot be read: there is no such file.")
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"The model card {name!r} cannot be read: {error.strerror or error}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"The model card {name!r} is not TOML: {error}.") from None
    except RecursionError:
        raise ModelError(
            f"The model card {name!r} is nested too deeply to be read; a card has one level of keys"
            " and [preprocessing]."
        ) from None
    architecture = written.get("architecture")
    if not isinstance(architecture, str):
        raise ModelError(
            f"The model card {name!r} does not say architecture = \"...\", such as 'timm:resnet50'."
        )
    options = _options(written, name, architecture)
    _check_architecture(name, architecture, options, trust)
    for key in PATHS:
        if isinstance(options.get(key), str):
            options[key] = _beside(path, options[key])
            if not os.path.isfile(options[key]):
                raise ModelError(
                    f"The model card {name!r} names {key} = {options[key]!r}, which is not there."
                )
    title = options.pop("name", None)
    if weights is not None:
        options["weights"] = weights
    source, _, network_name = architecture.partition(":")
    if source in ("keras", "onnx", "file", "pt2", "torchscript", "hf") and os.path.exists(
        path.parent / network_name
    ):
        architecture = f"{source}:{_beside(path, network_name)}"
    model = load_model(architecture, trust=trust, **options)
    model.name = str(title or path.stem)
    return model


def _check_architecture(name: str, architecture: str, options: Options, trust: bool) -> None:
    """A card names a network, not another card; and code only where it is trusted."""
    if full_spec(architecture).startswith("card:"):
        raise ModelError(
            f"The model card {name!r} names another card ({architecture!r}) as its architecture;"
            " name the network itself."
        )
    for text in (architecture, str(options.get("arch", ""))):
        if text.startswith("python:"):
            require_trust(trust, name, f"it names Python code ({text!r}) that would be imported")


def _options(written: Options, name: str, architecture: str) -> Options:
    """Everything but the architecture, in one level; a misspelt key is named."""
    inner = written.get("preprocessing", {})
    if not isinstance(inner, dict):
        raise ModelError(
            f"The model card {name!r} has preprocessing = {inner!r}; it is a table,"
            " [preprocessing]."
        )
    source = architecture.partition(":")[0]
    card_options = (
        [option.name for option in registry.schema(source).options if option.name != "trust"]
        if source in registry
        else []
    )
    for keys, known in ((inner, PREPROCESSING), (written, (*OTHERS, *card_options))):
        for key in keys:
            if key not in known:
                raise ModelError(
                    f"The model card {name!r} has the key {key!r}; {suggest(key, known)}"
                )
    return {
        key: value
        for key, value in (written | inner).items()
        if key not in ("architecture", "preprocessing")
    }


def _beside(card: Path, path: str) -> str:
    return str((card.parent / path).resolve())
