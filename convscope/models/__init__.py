"""Where networks come from: one source a file, each a function `(name, *, weights, ...) -> Model`.

A network is named `source:name` ("torchvision:vgg16"); the embedded one is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from convscope.errors import ModelError, OptionError, suggest
from convscope.model import Model, Preprocessing
from convscope.registry import Registry

registry = Registry(__name__, "model source")
register = registry.register

DEFAULT = "embedded"


def load_model(
    model: str | nn.Module | Model | None = None,
    *,
    weights: bool | str | Path | None = None,
    size: int | Sequence[int] | None = None,
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    labels: Sequence[str] | str | Path | None = None,
    device: str | None = None,
    **options: Any,
) -> Model:
    """A network ready to be looked into.

    Args:
        model: nothing for the embedded EfficientNet-Lite0, `source:name`, or any `nn.Module`.
        weights: nothing for the source's own trained weights, False for random ones (always the same), or a local file
            (.safetensors, or a state dict that `torch.load(weights_only=True)` reads).
        size: input height and width, where they differ from what the source says (224 for a bare module).
        mean: per-channel mean of the input, in [0, 1] units.
        std: per-channel standard deviation of the input, in [0, 1] units.
        labels: the class names, or a text file with one a line.
        device: where to run, such as "cpu" or "cuda".
        options: what else the source takes; for a bare module also `name`, `channels`, `head`.

    Raises:
        ModelError: there is no such network, or its weights do not load.
        OptionError: an option the source does not have.
    """
    if isinstance(model, Model):
        loaded = model
    elif isinstance(model, nn.Module):
        loaded = _bare(model, weights, **options)
    elif model is None or isinstance(model, str):
        loaded = _from_source(model or DEFAULT, weights, options)
    else:
        raise ModelError(f"A model is a name such as 'torchvision:vgg16' or an nn.Module; {type(model).__name__} was given.")
    changes: dict[str, Any] = {}
    if size is not None:
        changes |= {"size": _size(size), "crop": 1.0}
    if mean is not None:
        changes["mean"] = _per_channel(mean, "mean", loaded.channels)
    if std is not None:
        changes["std"] = _per_channel(std, "std", loaded.channels)
    if changes:
        loaded.preprocessing = Preprocessing(**{**vars(loaded.preprocessing), **changes})
    if labels is not None:
        loaded.labels = _labels(labels)
    if changes or labels is not None:
        loaded.options |= {**changes, **({"labels": list(loaded.labels or ())} if labels is not None else {})}
    return loaded.to(device) if device else loaded


def _from_source(spec: str, weights: bool | str | Path | None, options: dict[str, Any]) -> Model:
    source, _, name = spec.partition(":")
    if source not in registry:
        raise ModelError(
            f"There is no model source {source!r} (in {spec!r}); a model is written source:name, and {suggest(source, registry.names())}"
        )
    schema = registry.schema(source)
    checked = schema.validate(options)
    if isinstance(weights, (str, Path)) and not Path(weights).is_file():
        raise ModelError(f"There is no weights file {str(weights)!r}.")
    loaded: Model = registry.get(source)(name, weights=str(weights) if isinstance(weights, Path) else weights, **checked)
    loaded.spec = spec
    loaded.options = {**({"weights": str(weights) if isinstance(weights, Path) else weights} if weights is not None else {}), **checked}
    return loaded


def _bare(network: nn.Module, weights: bool | str | Path | None, *, name: str | None = None, channels: int = 3, **options: Any) -> Model:
    from convscope.models._weights import load_weights

    if weights not in (None, False):
        load_weights(network, str(weights))
    unknown = set(options) - {"head", "crop", "interpolation", "scale", "bgr", "mean_image", "layout"}
    if unknown:
        raise OptionError(f"load_model has no option {sorted(unknown)[0]!r} for a bare module.")
    own = {key: options.pop(key) for key in list(options) if key not in ("head", "layout")}
    return Model(network, name=name, channels=channels, preprocessing=Preprocessing(**own), **options)


def _size(size: int | Sequence[int]) -> tuple[int, int]:
    found = (size, size) if isinstance(size, int) else tuple(size)
    if len(found) != 2 or min(found) < 1:
        raise OptionError(f"size is one number or height and width, 1 or more; {size!r} was given.")
    return int(found[0]), int(found[1])


def _per_channel(values: Sequence[float] | float, what: str, channels: int) -> tuple[float, ...]:
    found = (float(values),) if isinstance(values, (int, float)) else tuple(float(value) for value in values)
    if len(found) not in (1, channels):
        raise OptionError(f"{what} needs 1 or {channels} number(s), one per channel; {len(found)} were given.")
    return found


def _labels(labels: Sequence[str] | str | Path) -> tuple[str, ...]:
    if not isinstance(labels, (str, Path)):
        return tuple(str(label) for label in labels)
    try:
        return tuple(line.strip() for line in Path(labels).read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The labels file {str(labels)!r} cannot be read: {error}.") from None
