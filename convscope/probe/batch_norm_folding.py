"""Which batch norms can be folded into the convolution before them, and the folding."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from convscope.probe.runner import Runner

CONVOLUTIONS = ("Conv2d", "Conv2dSame")
"""Kinds of convolutions that are folded; Conv2dSame is timm's with TensorFlow's padding."""


def foldable_pairs(runner: Runner, image: Tensor) -> list[tuple[str, str]]:
    """The names of convolutions and of the batch norms that alone read their output, each running
    once, as one dry run on `image` shows them."""
    reads = _Reads()
    modules = runner.model.module_index.modules
    with runner.held_still(), torch.no_grad():
        handles = [module.register_forward_hook(reads.record) for module in modules.values()]
        try:
            runner.run(image)
        finally:
            for handle in handles:
                handle.remove()
    names = {module: name for name, module in modules.items()}
    return [(names[convolution], names[norm]) for convolution, norm in reads.foldable()]


class _Reads:
    """Which module made the tensor that another one reads, and how many read it."""

    def __init__(self) -> None:
        self._makers: dict[int, tuple[nn.Conv2d, Tensor]] = {}
        self._pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d, int]] = []
        self._calls: Counter[nn.Module] = Counter()
        self._readers: Counter[int] = Counter()

    def record(self, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        """A forward hook."""
        self._calls[module] += 1
        is_norm = isinstance(module, nn.BatchNorm2d)
        for tensor in inputs:
            # A container's children read its input themselves; norms of timm have children too.
            if isinstance(tensor, Tensor) and (is_norm or not module._modules):
                self._readers[id(tensor)] += 1
        tensor = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
        if isinstance(module, nn.BatchNorm2d) and id(tensor) in self._makers:
            self._pairs.append((self._makers[id(tensor)][0], module, id(tensor)))
        if type(module).__name__ in CONVOLUTIONS and isinstance(output, Tensor):
            assert isinstance(module, nn.Conv2d)
            # Held until the end, since a freed tensor's number is given out again.
            self._makers[id(output)] = (module, output)
            self._readers[id(output)] = 0

    def foldable(self) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
        """Pairs that run once, share their tensor with nobody, and normalize by fixed numbers."""
        return [
            (convolution, norm)
            for convolution, norm, tensor in self._pairs
            if self._calls[convolution] == self._calls[norm] == self._readers[tensor] == 1
            and norm.running_mean is not None
            and norm.running_var is not None
        ]


def fold_batch_norms(network: nn.Module, pairs: Sequence[tuple[str, str]]) -> None:
    """Fold each batch norm into the convolution before it (names), in place."""
    for convolution_name, norm_name in pairs:
        convolution: Any = network.get_submodule(convolution_name)
        norm: Any = network.get_submodule(norm_name)
        weight, bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
        convolution.weight, convolution.bias = (
            nn.Parameter(part.detach(), requires_grad=False) for part in (weight, bias)
        )
        parent, _, attribute = norm_name.rpartition(".")
        # What a folded batch norm still does: timm's carry their activation with them.
        children = OrderedDict(norm.named_children())
        setattr(network.get_submodule(parent), attribute, nn.Sequential(children).eval())
