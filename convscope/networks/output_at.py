"""A network that ends at one of its layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from convscope.core.types import Foreign
from convscope.errors import LayerError
from convscope.networks.layout import first_tensor, replace_first


def unshared(image: Tensor) -> Tensor:
    """A copy of an input for one run: a network may write into its input (`x /= 255`), which is
    used again. A broadcast one stays, since PyTorch lets nobody write into it."""
    return image if 0 in image.stride() and image.numel() > 1 else image.clone()


def output_at(
    network: nn.Module, layer: nn.Module, image: Tensor, inputs: Mapping[str, Foreign]
) -> Foreign:
    """What `layer` gives in one run of the network; of several calls, in the last one.

    Raises:
        LayerError: it did not run.
    """
    outputs: list[Foreign] = []

    def keep(module: nn.Module, layer_inputs: Foreign, output: Foreign) -> None:
        tensor = first_tensor(output)
        # A copy, since the network may go on in place.
        outputs.append(output if tensor is None else replace_first(output, tensor.clone()))

    handle = layer.register_forward_hook(keep)
    try:
        network(image, **inputs)
    finally:
        handle.remove()
    if not outputs:
        raise LayerError("The layer that is asked about did not run: take another.")
    return outputs[-1]
