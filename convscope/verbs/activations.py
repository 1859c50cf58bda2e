from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor

from convscope.errors import UnitError
from convscope.networks.layer import PASSING, Layer, Layers
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.details import ActivationsDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._names import listed_layers
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

NONLINEARITY = re.compile(r"[A-Z]LU|ReLU|Swish|swish|Mish|Tanh|Softplus")
"""The kinds of modules after which a channel fires or does not."""

FOLLOWING = 3
"""How many layers after a linear one its nonlinearity may come: a normalization lies between."""

STRONGEST = 5
"""Channels named in the table, by their mean."""


@verb
def activations(
    model: Model,
    photo: PhotoLike,
    *,
    layers: Sequence[str] | str | None = None,
    channels: int | list[int] | None = None,
) -> Result:
    """What every channel of a layer does on a photo (Chollet, Deep Learning with Python, 5.4.1).

    The arrays are keyed by layer name, n c h w, raw float32; a dense layer has h = w = 1.
    `result.table` has a row per photo and layer: the share of exact zeros, of values at or below
    zero, of blank channels (constant over all places; a dense layer's are those at zero), and the
    five strongest channels by their mean.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layers: dotted names or patterns, in which `**` crosses dots; by default an early, a
            middle and a late stage, each where it has passed its nonlinearity.
        channels: draw only this channel, or these, and at large; the arrays hold all of them.

    Raises:
        LayerError: no such layer.
        UnitError: a channel that one of the layers does not have.

    Example:
        convscope.activations(model, "cat.jpg", layers=["blocks.1", "blocks.4"])
        $ convscope activations cat.jpg --layers blocks.1,blocks.4 --out maps.png
        $ convscope activations cat.jpg --layers blocks.1 --channels 7 --out channel.png
    """
    with Probe(model) as probe:
        names = listed_layers(probe.layers, layers, lambda: default_layers(probe))
        chosen = _channels(channels, names, probe)
        activation = probe.activations(network_input(model, photo), names)
    table = [
        describe(index, name, maps)
        for name, batch in activation.items()
        for index, maps in enumerate(batch.float())
    ]
    arrays = {name: to_numpy(batch) for name, batch in activation.items()}
    return Result(
        "activations", ActivationsDetails(channels=chosen), arrays, table, bytes_of(photo)
    )


def default_layers(probe: Probe) -> list[str]:
    """An early, a middle and a late layer, after their nonlinearity.

    The output of a stage is linear in the networks that add its input to it: nothing is zero there,
    and what does not fire cannot be told from what does.
    """
    return list(
        dict.fromkeys(post_activation(probe.layers, name) for name in probe.layers.spread(3))
    )


def post_activation(layers: Layers, name: str) -> str:
    """The layer itself where it gives what a nonlinearity gave; else the last one within it that
    does, at the same resolution, or the one that follows it."""
    layer = layers[name]
    if _is_activated(layers, layer):
        return name
    inside = [
        other.name
        for other in layers.values()
        if other.name.startswith(f"{name}.")
        and other.shape[1:] == layer.shape[1:]
        and other.kind not in PASSING
        and _is_activated(layers, other)
    ]
    if inside:
        return inside[-1]
    later = [other for other in layers.values() if other.order > layer.order][:FOLLOWING]
    return next(
        (
            other.name
            for other in later
            if other.shape == layer.shape and _is_activated(layers, other)
        ),
        name,
    )


def _is_activated(layers: Layers, layer: Layer) -> bool:
    """Whether the tensor of a layer comes straight out of a nonlinearity."""
    kind = layers[layer.source].kind if layer.source in layers else layer.kind
    return NONLINEARITY.search(kind) is not None


def _channels(channels: int | list[int] | None, names: Sequence[str], probe: Probe) -> list[int]:
    """The channels to draw, each within all of the layers."""
    chosen = [channels] if isinstance(channels, int) else list(channels or [])
    for name in names:
        count = probe.layers[name].units
        for channel in chosen:
            if not 0 <= channel < count:
                raise UnitError(
                    f"{name} has {count} channels (0 to {count - 1}); {channel} was given."
                )
    return chosen


def describe(photo: int, layer: str, maps: Tensor) -> Row:
    """The table row of one layer (`c h w`) on one photo."""
    flat = maps.flatten(1)
    strongest = flat.mean(1).argsort(descending=True, stable=True)[:STRONGEST].tolist()
    # A dense layer's units have one value each, so being constant says nothing: zero does.
    is_blank = (flat == flat[:, :1]).all(1) if flat.shape[1] > 1 else flat[:, 0] == 0
    return {
        "photo": photo,
        "layer": layer,
        "shape": " x ".join(map(str, maps.shape)),
        "zeros": int((maps == 0).sum()) / maps.numel(),
        "inactive": int((maps <= 0).sum()) / maps.numel(),
        "blank": float(is_blank.float().mean()),
        "strongest": strongest,
    }
