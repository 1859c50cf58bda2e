from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.details import ActivationsDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

STRONGEST = 5
"""Channels named in the table, by their mean."""


@verb
def activations(
    model: Model, photo: PhotoLike, *, layers: Sequence[str] | str | None = None
) -> Result:
    """What every channel of a layer does on a photo (Chollet, Deep Learning with Python, 5.4.1).

    The arrays are keyed by layer name, n c h w, raw float32; a dense layer has h = w = 1.
    `result.table` has a row per photo and layer: the share of exact zeros, of values at or below
    zero, of blank channels (constant over all places; a dense layer's are those at zero), and the
    five strongest channels by their mean.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layers: dotted names or shell patterns; by default an early, a middle and a late stage.

    Example:
        convscope.activations(model, "cat.jpg", layers=["blocks.1", "blocks.4"])
        $ convscope activations cat.jpg --layers blocks.1,blocks.4 --out maps.png
    """
    with Probe(model) as probe:
        patterns = [layers] if isinstance(layers, str) else list(layers or probe.layers.spread(3))
        names = list(
            dict.fromkeys(name for pattern in patterns for name in probe.layers.match(pattern))
        )
        activation = probe.activations(network_input(model, photo), names)
    table = [
        describe(index, name, maps)
        for name, batch in activation.items()
        for index, maps in enumerate(batch.float())
    ]
    arrays = {name: to_numpy(batch) for name, batch in activation.items()}
    return Result("activations", ActivationsDetails(), arrays, table, bytes_of(photo))


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
        "zeros": float((maps == 0).float().mean()),
        "inactive": float((maps <= 0).float().mean()),
        "blank": float(is_blank.float().mean()),
        "strongest": strongest,
    }
