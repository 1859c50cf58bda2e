"""What comes into each unit of a layer: the weights of the module that makes its channels."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import LayerError
from convscope.networks.model import Model
from convscope.probe import Probe


def incoming_weights(model: Model, layer: str) -> Tensor:
    """Units x weights: those of the last module inside the layer, or else before it, that has one
    output for each unit.

    Raises:
        LayerError: there is none.
    """
    with Probe(model) as probe:
        layers = probe.layers
        units, order = layers[layer].units, layers[layer].order
        base = layer.partition("#")[0]
        candidates: list[tuple[bool, int, Tensor]] = []
        for name, other in layers.items():
            weight = getattr(model.modules[name], "weight", None)
            if not isinstance(weight, Tensor) or weight.ndim < 2 or other.order > order:
                continue
            if weight.shape[0] == units:
                is_inside = name == base or name.startswith(base + ".")
                candidates.append((is_inside, other.order, weight))
    if not candidates:
        raise LayerError(
            f"No module at or before {layer!r} has weights for each of its {units} units, so they"
            " cannot be compared."
        )
    weight = max(candidates, key=lambda candidate: candidate[:2])[2]
    with torch.no_grad():
        return weight.detach().float().flatten(1).cpu()
