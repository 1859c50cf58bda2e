"""A private, faster copy of a network: batch norms folded, channels last, cheaper gradients, half
precision on request.

Nothing that a layer's name means may change: a convolution whose own output is asked for keeps its
batch norm, and the copy is compared with the original before it is used. A copy is kept for as long
as its network lives and is as it was when the copy was made; weights that no faster order or
folding changes are shared with it, so that little memory is taken twice.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from convscope.networks.layout import first_tensor
from convscope.networks.model import Model
from convscope.networks.module_index import ModuleIndex, evaluation_mode
from convscope.probe.convolution_gradient import install
from convscope.probe.probe import Probe

TOLERANCE = 1e-4
"""How far the copy's scores may be from the original's, relative to the largest; beyond it the
plain network is used."""

COPIES = 3
"""How many copies of one network are kept: they differ in the convolutions that stay as they
are."""

SMALL = 64
"""Least side in pixels of the image on which a copy is compared with its original."""

_WATCHED = frozenset({int, float, bool, str, tuple, type(None)})
"""Types of a module's own attributes that are watched for changes (a stride, a momentum, an
activation's name)."""


@dataclass
class _Copy:
    """A copy of a network, and which of its layers were found to give the same; a network is None
    where none could be made."""

    network: nn.Module | None
    layers: Any = None
    modules: dict[str, nn.Module] = field(default_factory=dict)
    same: set[str] = field(default_factory=set)
    other: set[str] = field(default_factory=set)


@dataclass
class _Known:
    """The copies of one network by the convolutions that were kept, while the network is as `state`
    says.

    `settings` reads the watched attributes of each module, `pairs` names the convolutions and norms
    that can be folded, `size` is the image's on which copies are compared, `asked` has the answers
    so far, and `hopeless` says that the network cannot be copied.
    """

    state: Any
    settings: list[Callable[[dict[str, Any]], Any]]
    copies: dict[frozenset[str], _Copy] = field(default_factory=dict)
    pairs: list[tuple[str, str]] | None = None
    size: tuple[int, int] | None = None
    asked: dict[tuple[str, ...], _Copy] = field(default_factory=dict)
    hopeless: bool = False


_KNOWN: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()


def inference_copy(model: Model, layers: Sequence[str] = (), *, half: bool = False) -> Model:
    """The same network, faster: a copy that gives the same at `layers` and at the end, made once
    while the network stays as it is.

    The network itself is returned where no copy can be made, where it has hooks of its own, or
    where the copy gave something else. A change of a weight through `weight.data` is noticed only
    if it touches one of a few sampled values.

    Args:
        model: the network; it is left alone.
        layers: names whose outputs will be asked for; what they give is not changed by folding.
        half: compute in bfloat16 where a kernel exists (autocast); scores then differ by about one
            percent.
    """
    fast = copy.copy(model)
    fast.half = half
    # Where layers have names of their own (Keras), a copy's modules could not be found by them.
    if model.is_frozen or model._modules is not None:
        return fast
    with torch.inference_mode(False):
        modules = model.module_index.modules
        if any(
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
            for module in modules.values()
        ):
            return fast
        known = _KNOWN.get(model.network)
        if known is None or known.state != _state(modules, known.settings):
            settings = _settings(modules)
            known = _KNOWN[model.network] = _Known(_state(modules, settings), settings)
        wanted = tuple(layers)
        found = known.asked.get(wanted) or _copy(model, modules, known, layers)
        known.asked[wanted] = found
    if found.network is not None and not found.other.intersection(layers):
        fast.network, fast._modules, fast.is_frozen = found.network, found.modules, True
        fast.__dict__["_layers"] = (None, found.layers)
    return fast


def _settings(modules: dict[str, nn.Module]) -> list[Callable[[dict[str, Any]], Any]]:
    """For each module, what reads its own attributes that are watched."""
    found: list[Callable[[dict[str, Any]], Any]] = []
    for module in modules.values():
        keys = [
            key
            for key, value in module.__dict__.items()
            if key != "training" and type(value) in _WATCHED
        ]
        found.append(itemgetter(*keys) if keys else dict.__len__)
    return found


def _state(
    modules: dict[str, nn.Module], settings: list[Callable[[dict[str, Any]], Any]]
) -> tuple[Any, ...] | None:
    """What tells whether a network is still the same: its modules, their tensors, their settings,
    and a few values."""
    if len(settings) != len(modules):
        return None
    tensors: list[Tensor] = []
    parts: list[Any] = []
    try:
        for (name, module), read in zip(modules.items(), settings, strict=True):
            parts += (name, id(module), read(module.__dict__))
            tensors += [
                tensor
                for tensor in (*module._parameters.values(), *module._buffers.values())
                if tensor is not None
            ]
    except KeyError:
        return None
    parts += [(id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors]
    sampled = [
        tensor
        for tensor in tensors[:1] + tensors[len(tensors) // 2 :][:1] + tensors[-1:]
        if tensor.is_floating_point()
    ]
    return *parts, *(tensor.detach().flatten()[:SMALL].tolist() for tensor in sampled)


def _copy(
    model: Model, modules: dict[str, nn.Module], known: _Known, layers: Sequence[str]
) -> _Copy:
    """The copy for these layers: an old one or a new one, compared at those of them that were not
    compared before."""
    if known.hopeless:
        return _Copy(None)
    with Probe(model) as probe:
        every = probe.layers
    bases = {name.partition("#")[0] for name in layers}
    asked = bases | {every[base].source for base in bases}
    try:
        if known.pairs is None:
            known.pairs, known.size = _pairs(model, modules)
        keep = frozenset(convolution for convolution, _ in known.pairs if convolution in asked)
        found = known.copies.get(keep)
        if found is None:
            network = _duplicate(model.network)
            _fold(network, [pair for pair in known.pairs if pair[0] not in keep])
            network = network.to(memory_format=torch.channels_last)
            install(network)
            while len(known.copies) >= COPIES:
                dropped = known.copies.pop(next(iter(known.copies)))
                known.asked = {
                    names: answer for names, answer in known.asked.items() if answer is not dropped
                }
            found = known.copies[keep] = _Copy(
                network,
                every,
                {name: module for name, module in ModuleIndex(network).modules.items() if name},
            )
            if not _agree(model, found, known.size, ()):
                found.network = None
        fresh = [name for name in layers if name not in found.same | found.other]
        if found.network is not None and fresh:
            (found.same if _agree(model, found, known.size, fresh) else found.other).update(fresh)
        return found
    except Exception:  # a network may refuse to be copied in any way; the plain one always works
        known.copies.clear()
        known.hopeless = True
        return _Copy(None)


def _duplicate(network: nn.Module) -> nn.Module:
    """A copy whose modules are its own and whose weights are still the original's memory, frozen
    and in evaluation mode."""
    memo: dict[int, Any] = {}
    for tensor in [*network.parameters(), *network.buffers()]:
        shared = tensor.detach()
        memo[id(tensor)] = (
            nn.Parameter(shared, requires_grad=False)
            if isinstance(tensor, nn.Parameter)
            else shared
        )
    return copy.deepcopy(network, memo).eval().requires_grad_(False)


def _fold(network: nn.Module, pairs: Sequence[tuple[str, str]]) -> None:
    """Fold each batch norm into the convolution before it (names), in place."""
    for name, follower in pairs:
        convolution: Any = network.get_submodule(name)
        norm: Any = network.get_submodule(follower)
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
        parent, _, own = follower.rpartition(".")
        setattr(network.get_submodule(parent), own, _Rest(norm))


class _Rest(nn.Module):
    """What a batch norm does besides normalizing: timm's carry their activation with them."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.training = False
        for name, child in norm.named_children():
            self.add_module(name, child)

    def forward(self, given: Tensor) -> Tensor:
        for child in self._modules.values():
            given = child(given)  # type: ignore[misc]
        return given


def _pairs(
    model: Model, modules: dict[str, nn.Module]
) -> tuple[list[tuple[str, str]], tuple[int, int] | None]:
    """The names of convolutions and of the batch norms that alone read their output, each running
    once, as one dry run shows them; and the size of its image: a small one, or None where the
    network takes its own size only.
    """
    half = tuple(max(SMALL, side // 64 * 32) for side in model.size)
    try:
        return _read(model, modules, (half[0], half[1])), (half[0], half[1])
    except (RuntimeError, ValueError, TypeError, AssertionError):
        return _read(model, modules, None), None


def _read(
    model: Model, modules: dict[str, nn.Module], size: tuple[int, int] | None
) -> list[tuple[str, str]]:
    names = {module: name for name, module in modules.items()}
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}
    read: list[tuple[nn.Conv2d, nn.BatchNorm2d, int]] = []
    calls: Counter[nn.Module] = Counter()
    readers: Counter[int] = Counter()

    def after(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        calls[module] += 1
        norm = isinstance(module, nn.BatchNorm2d)
        for tensor in given:
            if isinstance(tensor, Tensor) and (norm or not module._modules):
                readers[id(tensor)] += 1
        tensor = given[0] if given and isinstance(given[0], Tensor) else None
        if isinstance(module, nn.BatchNorm2d) and id(tensor) in made:
            read.append((made[id(tensor)][0], module, id(tensor)))
        if type(module).__name__ in ("Conv2d", "Conv2dSame") and isinstance(output, Tensor):
            assert isinstance(module, nn.Conv2d)
            # Held until the end, since a freed tensor's number is given out again.
            made[id(output)] = (module, output)
            readers[id(output)] = 0

    with evaluation_mode(model.module_index), torch.no_grad():
        handles = [module.register_forward_hook(after) for module in names]
        try:
            model(model.preprocess(_noise(model, size)))
        finally:
            for handle in handles:
                handle.remove()
    return [
        (names[convolution], names[norm])
        for convolution, norm, tensor in read
        if calls[convolution] == calls[norm] == readers[tensor] == 1
        and norm.running_mean is not None
        and norm.running_var is not None
    ]


def _noise(model: Model, size: tuple[int, int] | None) -> Tensor:
    return torch.rand(
        1, model.channels, *(size or model.size), generator=torch.Generator().manual_seed(0)
    )


def _agree(model: Model, found: _Copy, size: tuple[int, int] | None, layers: Sequence[str]) -> bool:
    """Whether both give the same on a random image: at the layers, or at the end where none is
    named."""
    assert found.network is not None
    fast = copy.copy(model)
    fast.half, fast.network, fast._modules, fast.is_frozen = (
        False,
        found.network,
        found.modules,
        True,
    )
    fast.__dict__["_layers"] = (None, found.layers)
    pairs: list[tuple[Tensor | None, Tensor | None]] = []
    with Probe(model) as slow, Probe(fast) as quick:
        image = model.preprocess(_noise(model, size))
        slow_half, model.half = model.half, False
        try:
            if layers:
                first, second = (each.activations(image, layers) for each in (slow, quick))
                pairs = [(first[name], second[name]) for name in layers]
            else:
                pairs = [(first_tensor(slow.output(image)), first_tensor(quick.output(image)))]
        finally:
            model.half = slow_half
    return all(
        a is not None
        and b is not None
        and a.shape == b.shape
        and bool((a - b).abs().max() <= TOLERANCE * a.abs().max())
        for a, b in pairs
    )
