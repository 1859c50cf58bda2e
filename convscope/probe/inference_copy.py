"""A private, faster copy of a network: batch norms folded, channels last, cheaper gradients, half
precision on request.

Nothing that a layer's name means may change: a convolution whose own output is asked for keeps its
batch norm, and the copy is compared with the original before it is used. A copy is kept for as long
as its network lives and is as it was when the copy was made; weights that no faster order or
folding changes are shared with it, so that little memory is taken twice.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_modules

from convscope.networks.layout import first_tensor
from convscope.networks.model import Model
from convscope.networks.module_index import ModuleIndex
from convscope.networks.state import NetworkState, replaced_forwards
from convscope.probe.batch_norm_folding import fold_batch_norms, foldable_pairs
from convscope.probe.convolution_gradient import install
from convscope.probe.network_fingerprint import NetworkFingerprint
from convscope.probe.probe import Probe

TOLERANCE = 1e-4
"""How far the copy's scores may be from the original's, relative to the largest; beyond it the
plain network is used."""

MAX_COPIES = 3
"""How many copies of one network are kept: they differ in the convolutions that stay as they
are."""

MIN_SIDE = 64
"""Least side in pixels of the image on which a copy is compared with its original."""


@dataclass
class NetworkCopy:
    """A copy of a network, with its modules by name.

    `equal_layers` were compared and give the same as the original, `unequal_layers` do not.
    `network` is None where no copy could be made.
    """

    network: nn.Module | None
    modules: dict[str, nn.Module] = field(default_factory=dict)
    equal_layers: set[str] = field(default_factory=set)
    unequal_layers: set[str] = field(default_factory=set)

    def as_model(self, model: Model) -> Model:
        """The Model with the copy in place of its network."""
        copied = copy.copy(model)
        if self.network is not None:
            copied.state = NetworkState(self.network, self.modules, original=model.state)
        return copied


@dataclass
class CopyCache:
    """The copies of one network while it is as `fingerprint` says, by the convolutions that stay
    unfolded.

    `pairs` names the convolutions and norms that can be folded, `size` is that of the image on
    which copies are compared, `by_layers` has the answers so far, and `is_uncopyable` says that the
    network cannot be copied.
    """

    fingerprint: NetworkFingerprint
    copies: dict[frozenset[str], NetworkCopy] = field(default_factory=dict)
    pairs: list[tuple[str, str]] | None = None
    size: tuple[int, int] | None = None
    by_layers: dict[tuple[str, ...], NetworkCopy] = field(default_factory=dict)
    is_uncopyable: bool = False


def inference_copy(model: Model, layers: Sequence[str] = (), *, half: bool = False) -> Model:
    """The same network, faster: a copy that gives the same at `layers` and at the end, made once
    while the network stays as it is.

    The network itself is returned where no copy can be made, where it has hooks of its own, or
    where the copy gave something else. A change of the network, also through `weight.data`, is
    noticed: the answer is that of the network as it is now.

    Args:
        model: the network; it is left alone.
        layers: names whose outputs will be asked for; what they give is not changed by folding.
        half: compute in bfloat16 where a kernel exists (autocast); scores then differ by about one
            percent.
    """
    plain = copy.copy(model)
    plain.half = half
    # Where layers have names of their own (Keras), a copy's modules could not be found by them.
    if model.is_frozen or model.state.named_modules is not None:
        return plain
    memory = model.state.memory
    with memory.lock, torch.inference_mode(False):
        modules = model.module_index.modules
        # A copy could not be trusted to run what was put around or in place of its modules.
        if _has_hooks(modules.values()) or replaced_forwards(modules.values()):
            return plain
        cache = memory.recall(CopyCache)
        if cache is None or not cache.fingerprint.matches(modules, memory):
            cache = CopyCache(NetworkFingerprint(modules, memory))
            memory.keep(cache)
        if model.output_layer is not None:
            layers = [*layers, model.output_layer]
        key = tuple(layers)
        network_copy = cache.by_layers.get(key) or _copy_for(model, modules, cache, layers)
        cache.by_layers[key] = network_copy
    return (
        plain if network_copy.unequal_layers.intersection(layers) else network_copy.as_model(plain)
    )


def _has_hooks(modules: Iterable[nn.Module]) -> bool:
    """Whether somebody listens in, at one of the modules or at all of them."""
    return bool(
        torch_modules._global_forward_hooks
        or torch_modules._global_forward_pre_hooks
        or torch_modules._global_backward_hooks
        or torch_modules._global_backward_pre_hooks
        or any(
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
            for module in modules
        )
    )


def _copy_for(
    model: Model, modules: dict[str, nn.Module], cache: CopyCache, layers: Sequence[str]
) -> NetworkCopy:
    """The copy for these layers: an old one or a new one, compared at those of them that were not
    compared before."""
    if cache.is_uncopyable:
        return NetworkCopy(None)
    with Probe(model) as probe:
        all_layers = probe.layers
    bases = {name.partition("#")[0] for name in layers}
    needed = bases | {all_layers[base].source for base in bases}
    try:
        if cache.pairs is None:
            cache.pairs, cache.size = _pairs(model, modules)
        unfolded = frozenset(name for name, _ in cache.pairs if name in needed)
        network_copy = cache.copies.get(unfolded)
        if network_copy is None:
            while len(cache.copies) >= MAX_COPIES:
                _drop_oldest(cache)
            folded = [pair for pair in cache.pairs if pair[0] not in unfolded]
            network_copy = _prepared(model.network, folded)
            cache.copies[unfolded] = network_copy
            if not _agree(model, network_copy, cache.size, ()):
                network_copy.network = None
        compared = network_copy.equal_layers | network_copy.unequal_layers
        fresh = [name for name in layers if name not in compared]
        if network_copy.network is not None and fresh:
            agree = _agree(model, network_copy, cache.size, fresh)
            (network_copy.equal_layers if agree else network_copy.unequal_layers).update(fresh)
        return network_copy
    except Exception:  # a network may refuse to be copied in any way; the plain one always works
        cache.copies.clear()
        cache.is_uncopyable = True
        return NetworkCopy(None)


def _drop_oldest(cache: CopyCache) -> None:
    dropped = cache.copies.pop(next(iter(cache.copies)))
    cache.by_layers = {
        names: network_copy
        for names, network_copy in cache.by_layers.items()
        if network_copy is not dropped
    }


def _prepared(network: nn.Module, folded: Sequence[tuple[str, str]]) -> NetworkCopy:
    """A copy with these pairs folded, channels last, and the faster gradient where there is one."""
    duplicate = _duplicate(network)
    fold_batch_norms(duplicate, folded)
    duplicate = duplicate.to(memory_format=torch.channels_last)
    install(duplicate)
    modules = {name: module for name, module in ModuleIndex(duplicate).modules.items() if name}
    return NetworkCopy(duplicate, modules)


def _duplicate(network: nn.Module) -> nn.Module:
    """A copy whose modules are its own and whose weights are still the original's memory, frozen
    and in evaluation mode."""
    memo: dict[int, object] = {}
    for tensor in [*network.parameters(), *network.buffers()]:
        shared = tensor.detach()
        memo[id(tensor)] = (
            nn.Parameter(shared, requires_grad=False)
            if isinstance(tensor, nn.Parameter)
            else shared
        )
    return copy.deepcopy(network, memo).eval().requires_grad_(False)


def _pairs(
    model: Model, modules: dict[str, nn.Module]
) -> tuple[list[tuple[str, str]], tuple[int, int] | None]:
    """What can be folded, and the size of the dry run's image: a small one, or None where the
    network takes its own size only."""
    height, width = (max(MIN_SIDE, side // 64 * 32) for side in model.size)
    try:
        return foldable_pairs(model, modules, _noise(model, (height, width))), (height, width)
    except (RuntimeError, ValueError, TypeError, AssertionError):
        return foldable_pairs(model, modules, _noise(model, None)), None


def _noise(model: Model, size: tuple[int, int] | None) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return model.preprocess(
        torch.rand(1, model.channels, *(size or model.size), generator=generator)
    )


def _agree(
    model: Model, network_copy: NetworkCopy, size: tuple[int, int] | None, layers: Sequence[str]
) -> bool:
    """Whether both give the same on a random image: at the layers, or at the end where none is
    named."""
    plain = copy.copy(model)
    plain.half, plain.output_layer = False, None
    pairs: list[tuple[Tensor | None, Tensor | None]] = []
    with Probe(plain) as original, Probe(network_copy.as_model(plain)) as copied:
        image = _noise(model, size)
        if layers:
            first, second = (probe.activations(image, layers) for probe in (original, copied))
            pairs = [(first[name], second[name]) for name in layers]
        else:
            pairs = [(first_tensor(original.output(image)), first_tensor(copied.output(image)))]
    return all(
        a is not None
        and b is not None
        and a.shape == b.shape
        and bool((a - b).abs().max() <= TOLERANCE * a.abs().max())
        for a, b in pairs
    )
