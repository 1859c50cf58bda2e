"""A private, faster copy of a network for long jobs: batch norms folded, channels last, half precision on request.

Nothing that a layer's name means may change: a convolution whose own output is asked for keeps its batch norm, and the
copy is compared with the original before it is used.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from convscope.layout import first_tensor
from convscope.model import Model, undisturbed
from convscope.probe import Probe

TOLERANCE = 1e-4
"""How far the copy's scores may be from the original's, relative to the largest; beyond it the plain network is used."""


def prepare(model: Model, layers: Sequence[str] = (), *, half: bool = False) -> Model:
    """The same network, faster: a copy that shares nothing with `model` and gives the same at `layers` and at the end.

    Args:
        model: the network; it is left alone.
        layers: names whose outputs will be asked for; what they give is not changed by folding.
        half: compute in bfloat16 where a kernel exists (autocast); scores then differ by about one percent.
    """
    fast = copy.copy(model)
    # Where layers have names of their own (Keras), a copy's modules could not be found by them.
    if model._modules is None:
        with torch.inference_mode(False):
            fast.network = copy.deepcopy(model.network).eval().requires_grad_(False)
            fold_batch_norms(fast, {name.partition("#")[0] for name in layers})
            fast.network = fast.network.to(memory_format=torch.channels_last)
            if not _agree(model, fast, layers):
                fast = copy.copy(model)
    fast.half = half
    return fast


def fold_batch_norms(model: Model, keep: set[str]) -> int:
    """Fold every batch norm that follows a convolution directly into it, in place; how many were folded.

    A pair is left alone where the convolution's own output is asked for (`keep`), where either runs more than once, or
    where the convolution has hooks of its own.
    """
    names = {module: name for name, module in model.network.named_modules()}
    pairs = _pairs(model)
    folded = 0
    for convolution, norm in pairs:
        if names[convolution] in keep or norm.running_mean is None or norm.running_var is None:
            continue
        weight, bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        convolution.weight, convolution.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
        parent, _, own = names[norm].rpartition(".")
        setattr(model.network.get_submodule(parent), own, _Rest(norm))
        folded += 1
    return folded


class _Rest(nn.Module):
    """What a batch norm does besides normalising: timm's carry their activation with them."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        for name, child in norm.named_children():
            self.add_module(name, child)

    def forward(self, given: Tensor) -> Tensor:
        for child in self.children():
            given = child(given)
        return given


def _pairs(model: Model) -> list[tuple[nn.Conv2d, Any]]:
    """Convolutions and the batch norms that read their output and run once, as one dry run shows them."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    read: list[tuple[nn.Conv2d, nn.Module]] = []
    calls: Counter[nn.Module] = Counter()
    readers: Counter[int] = Counter()

    def after(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        calls[module] += 1
        for tensor in given:
            if isinstance(tensor, Tensor) and not list(module.children()):
                readers[id(tensor)] += 1
        tensor = given[0] if given and isinstance(given[0], Tensor) else None
        if isinstance(module, nn.BatchNorm2d) and id(tensor) in made:
            read.append((made[id(tensor)][0], module))
        if type(module).__name__ in ("Conv2d", "Conv2dSame") and isinstance(output, Tensor):
            assert isinstance(module, nn.Conv2d)
            made[id(output)] = (module, output)

    with undisturbed(model.network), torch.no_grad():
        handles = [module.register_forward_hook(after) for module in model.network.modules()]
        try:
            model(model.blank())
        finally:
            for handle in handles:
                handle.remove()
    return [(convolution, norm) for convolution, norm in read if calls[convolution] == calls[norm] == 1]


def _agree(model: Model, fast: Model, layers: Sequence[str]) -> bool:
    """Whether both give the same on a random image, at the layers and at the end."""
    noise = torch.rand(1, model.channels, *model.size, generator=torch.Generator().manual_seed(0))
    with Probe(model) as slow, Probe(fast) as quick:
        first, end = slow.activations_and_output(model.enter(noise), layers)
        second, other = quick.activations_and_output(fast.enter(noise), layers)
    pairs = [*((first[name], second[name]) for name in layers), (first_tensor(end), first_tensor(other))]
    return all(
        a is not None and b is not None and a.shape == b.shape and bool((a - b).abs().max() <= TOLERANCE * a.abs().max()) for a, b in pairs
    )
