"""From the module a user has to the network that can be hooked and differentiated."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from convscope.errors import ModelError


def plain_network(network: nn.Module, name: str | None = None) -> nn.Module:
    """The network that can be looked into: without wrappers, with weights that take gradients.

    Raises:
        ModelError: it is TorchScript, or its weights have no shape yet.
    """
    network = without_wrappers(network)
    _require_hookable(network, name or type(network).__name__)
    return with_normal_weights(network)


def without_wrappers(network: nn.Module) -> nn.Module:
    """The network inside DataParallel, DistributedDataParallel or torch.compile wrappers, so that
    names and hooks fit."""
    while True:
        if isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            network = network.module
        elif isinstance(getattr(network, "_orig_mod", None), nn.Module):
            network = network._orig_mod  # type: ignore[assignment]
        else:
            return network


def with_normal_weights(network: nn.Module) -> nn.Module:
    """A network built under `inference_mode` has weights that no gradient can pass; work on a copy
    of such a one."""
    if not any(tensor.is_inference() for tensor in [*network.parameters(), *network.buffers()]):
        return network
    with torch.inference_mode(False):
        return copy.deepcopy(network)


def _require_hookable(network: nn.Module, name: str) -> None:
    """Refuse networks in which nothing can be looked at, before anything runs.

    Raises:
        ModelError: a scripted or traced module, which takes no hooks, or weights that a first run
            has still to make.
    """
    for path, module in network.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            where = f"{name} is" if not path else f"{path} in {name} is"
            raise ModelError(
                f"{where} TorchScript, which takes no hooks; give the module that"
                " was scripted or traced, or save it with torch.jit.save and load the file"
                " (torchscript:PATH, with trust=True)."
            )
    for path, weight in [*network.named_parameters(), *network.named_buffers()]:
        if is_lazy(weight):
            raise ModelError(
                f"{name} is a lazy module whose weights have no shape yet (the first is {path});"
                " run it once on an image, then give it."
            )
