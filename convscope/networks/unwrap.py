"""From the module a user has to the network that can be hooked and differentiated."""

from __future__ import annotations

import copy

import torch
from torch import nn


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
