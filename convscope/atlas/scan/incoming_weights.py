"""What comes into each unit of a layer: the weights of the module that makes its channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.errors import LayerError
from convscope.networks.concept_file import read_layer
from convscope.networks.concept_layer import is_concept_layer
from convscope.networks.model import Model
from convscope.probe import Probe

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def incoming_weights(model: Model, layer: str) -> Tensor:
    """Units x weights: those of the last module inside the layer, or else before it, that has one
    output for each unit; of saved concepts, their directions.

    Raises:
        LayerError: there is none.
    """
    if is_concept_layer(layer):
        return torch.tensor(read_layer(layer).directions)
    with Probe(model) as probe:
        layers = probe.layers
        units, order = layers[layer].units, layers[layer].order
        base = layer.partition("#")[0]
        candidates: list[tuple[bool, int, Tensor]] = []
        for name, other in layers.items():
            weight = _weight_by_output(model.modules[name])
            if weight is not None and other.order <= order and weight.shape[0] == units:
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


def _weight_by_output(module: nn.Module) -> Tensor | None:
    """A module's weight, its outputs first; None where it has none that mixes its inputs."""
    weight = getattr(module, "weight", None)
    is_elementwise = isinstance(module, (nn.LayerNorm, nn.RMSNorm))
    if not isinstance(weight, Tensor) or weight.ndim < 2 or is_elementwise:
        return None
    if isinstance(module, TRANSPOSED):
        # Inputs come first, group after group, then the outputs of one group.
        by_group = weight.reshape(module.groups, -1, *weight.shape[1:]).transpose(1, 2)
        return by_group.flatten(0, 1)
    return weight
