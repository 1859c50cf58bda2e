from __future__ import annotations

import importlib
import inspect

from torch import nn

from convscope.core.ranges import ChannelCount, ClassCount
from convscope.errors import ConvscopeError, ModelError, OptionError
from convscope.networks.model import Model
from convscope.networks.options import channels_of
from convscope.networks.sources import register
from convscope.networks.weights import load_weights, with_fixed_seed


@register()
def python(
    name: str,
    *,
    weights: bool | str | None = None,
    classes: ClassCount | None = None,
    channels: ChannelCount | None = None,
) -> Model:
    """A network that a function or class of an installed package makes:
    `python:PACKAGE.MODULE:FUNCTION`.

    Args:
        weights: a local file; without one (or with False) the network is as the function makes it,
            what that draws from seed 0.
        classes: passed on as `num_classes` or `classes`, if the function takes it.
        channels: passed on as `in_channels`, `in_chans` or `channels`, if the function takes it.

    Example:
        convscope.load_model("python:my_package.nets:SmallNet", weights="w.safetensors", size=64)
    """
    where, _, what = name.partition(":")
    if where.startswith("."):
        raise ModelError(
            f"python:{name} names the module {where!r} relative to a package; write it in full, as"
            " in python:PACKAGE.MODULE:FUNCTION."
        )
    try:
        make = getattr(importlib.import_module(where), what)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"python:{name} cannot be found: {error}. It is written python:MODULE:FUNCTION, and"
            " MODULE must be installed."
        ) from None
    # A module may raise anything while it is imported, and a script without a main guard exits.
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"python:{name}: the module {where!r} cannot be imported ({type(error).__name__}:"
            f" {error})."
        ) from error
    arguments = {}
    try:
        takes = inspect.signature(make).parameters
        for value, words in (
            (classes, ("num_classes", "classes")),
            (channels, ("in_channels", "in_chans", "channels")),
        ):
            word = next((word for word in words if word in takes), None)
            if value is not None and word is None:
                raise OptionError(
                    f"python:{name} takes none of {', '.join(words)}, so {value} cannot be"
                    " passed on."
                )
            if value is not None:
                arguments[str(word)] = value
        network = with_fixed_seed(lambda: make(**arguments))
    except ConvscopeError:
        raise
    except Exception as error:
        raise ModelError(
            f"python:{name} could not make a network: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"python:{name} made a {type(network).__name__}, not an nn.Module.")
    if isinstance(weights, str):
        load_weights(network, weights)
    return Model(network, name=what, channels=channels or channels_of(network))
