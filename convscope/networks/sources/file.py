from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from convscope.core.damaged import DAMAGED
from convscope.core.ranges import ChannelCount, ClassCount, Side
from convscope.core.types import Options
from convscope.errors import ModelError, OptionError
from convscope.networks import options as user_options
from convscope.networks.model import Model
from convscope.networks.sources import register, registry


@register()
def file(
    name: str,
    *,
    weights: bool | str | None = None,
    arch: str | None = None,
    classes: ClassCount | None = None,
    channels: ChannelCount | None = None,
    side: Side | Sequence[Side] | None = None,
    trust: bool = False,
) -> Model:
    """A checkpoint of your own: the weights are in the file, the architecture is named.

    What DataParallel, `torch.compile` and Lightning put before the keys is taken off. A `.pt2` file
    or a TorchScript file carries its own architecture, so `arch` is left out.

    Args:
        weights: not used: the file has them.
        arch: the architecture: "timm:NAME", "torchvision:NAME", or "python:PACKAGE.MODULE:FUNCTION"
            for a function or class of an installed package that makes the network.
        classes: how many classes the head has.
        channels: how many channels the input has.
        side: height and width that a TorchScript file is converted for; of any other file the same
            as `size` of `load_model`.
        trust: open a TorchScript or .pt2 file that could run code.

    Example:
        convscope.load_model("file:flowers.ckpt", arch="timm:resnet50", classes=7)
    """
    if weights is not None:
        raise ModelError("file:PATH is the weights file itself; leave out weights=.")
    if not os.path.isfile(name):
        raise ModelError(f"There is no file {name!r}.")
    if arch is None:
        return _with_architecture(name, classes, channels, side, trust)
    if _kind(name) is not None:
        raise ModelError(f"{name!r} carries its own architecture, so leave out arch={arch!r}.")
    source, _, network_name = arch.partition(":")
    if source not in ("timm", "torchvision", "python") or not network_name:
        raise ModelError(
            f"arch is written timm:NAME, torchvision:NAME or python:MODULE:FUNCTION; {arch!r} was"
            " given."
        )
    network_options: Options = {
        key: value
        for key, value in (("classes", classes), ("channels", channels))
        if value is not None
    }
    network_options = registry.schema(source).validate(network_options)
    model: Model = registry.get(source)(network_name, weights=name, **network_options)
    model.name = Path(name).stem
    return _resized(model, side)


def _with_architecture(
    name: str,
    classes: int | None,
    channels: int | None,
    side: int | Sequence[int] | None,
    trust: bool,
) -> Model:
    """The network of a file that carries its own architecture.

    Raises:
        ModelError: it holds weights only; OptionError: an option that a file of its kind decides.
    """
    source = _kind(name)
    if source is None:
        raise ModelError(
            f"{name!r} holds weights only, so say which network they belong to, such as"
            " arch='timm:resnet50'."
        )
    decided = {"classes": classes} | ({} if source == "torchscript" else {"channels": channels})
    for option, value in decided.items():
        if value is not None:
            raise OptionError(
                f"{name!r} carries its own architecture, so leave out {option}={value}."
            )
    if source == "torchscript":
        shape: Options = {"channels": channels, "side": side}
        known = {option: value for option, value in shape.items() if value is not None}
        script: Model = registry.get(source)(name, trust=trust, **known)
        return script
    program: Model = registry.get(source)(name, trust=trust)
    return _resized(program, side)


def _resized(model: Model, side: int | Sequence[int] | None) -> Model:
    if side is not None:
        model.preprocessing = user_options.preprocessing(
            model.preprocessing, model.channels, {"size": side}
        )
    return model


def _kind(path: str) -> str | None:
    """The source that reads a file which carries its own architecture: both kinds are zip archives
    with a known member.

    Raises:
        ModelError: it is an archive, and damaged.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member.partition("/")[2] for member in archive.namelist()]
    except DAMAGED as error:
        raise ModelError(
            f"{path!r} cannot be read ({type(error).__name__}: {error}); it is damaged or of"
            " another format."
        ) from error
    if any(member.startswith("code/") for member in members):
        return "torchscript"
    return "pt2" if any("archive_format" in member for member in members) else None
