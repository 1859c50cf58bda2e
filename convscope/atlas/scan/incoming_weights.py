"""What comes into each unit of a layer: the weights of the module that makes its channels."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import LayerError
from convscope.networks.model import Model
from convscope.probe import Probe


def incoming(model: Model, layer: str) -> Tensor:
    """Units x weights: those of the last module inside the layer, or else before it, that has one
    output for each unit.

    Raises:
        LayerError: there is none.
    """
    with Probe(model) as probe:
        layers = probe.layers
        own = layers[layer]
        base = layer.partition("#")[0]
        fitting = []
        for name, other in layers.items():
            weight = getattr(model.modules[name], "weight", None)
            if (
                isinstance(weight, Tensor)
                and weight.ndim >= 2
                and weight.shape[0] == own.units
                and other.order <= own.order
            ):
                inside = name == base or name.startswith(base + ".")
                fitting.append((inside, other.order, weight))
    if not fitting:
        raise LayerError(
            f"No module at or before {layer!r} has weights for each of its {own.units} units, so"
            " they cannot be compared."
        )
    weight = max(fitting, key=lambda one: one[:2])[2]
    with torch.no_grad():
        return weight.detach().float().flatten(1).cpu()
