from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convscope.probe import Probe
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

if TYPE_CHECKING:
    from convscope.networks.model import Model


from convscope.results.arrays import to_numpy


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
        wanted = [layers] if isinstance(layers, str) else list(layers or probe.layers.spread(3))
        names = list(
            dict.fromkeys(name for pattern in wanted for name in probe.layers.match(pattern))
        )
        found = probe.activations(network_input(model, photo), names)
    table = []
    for name, maps in found.items():
        for place, one in enumerate(maps.float()):
            flat = one.flatten(1)
            strongest = flat.mean(1).argsort(descending=True, stable=True)[:5].tolist()
            blank = (flat == flat[:, :1]).all(1) if flat.shape[1] > 1 else flat[:, 0] == 0
            table.append(
                {
                    "photo": place,
                    "layer": name,
                    "shape": " x ".join(map(str, one.shape)),
                    "zeros": float((one == 0).float().mean()),
                    "inactive": float((one <= 0).float().mean()),
                    "blank": float(blank.float().mean()),
                    "strongest": strongest,
                }
            )
    return Result(
        "activations",
        "activations",
        {name: to_numpy(maps) for name, maps in found.items()},
        table,
        bytes_of(photo),
    )
