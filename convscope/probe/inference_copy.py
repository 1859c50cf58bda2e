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

from convscope.errors import ImageError, ModelError
from convscope.networks.concept_file import read_layer
from convscope.networks.concept_layer import is_concept_layer, module_and_call
from convscope.networks.layout import first_tensor
from convscope.networks.model import Model
from convscope.networks.state import NetworkState, replaced_forwards
from convscope.probe.agreement import agree
from convscope.probe.batch_norm_folding import fold_batch_norms, foldable_pairs
from convscope.probe.convolution_gradient import install
from convscope.probe.network_fingerprint import NetworkFingerprint
from convscope.probe.probe import Probe

MAX_COPIES = 3
"""How many copies of one network are kept: they differ in the convolutions that stay as they
are."""

MIN_SIDE = 64
"""Least side in pixels of the image on which a copy is compared with its original."""


@dataclass
class NetworkCopy:
    """A copy of a network, None where no copy could be made.

    `equal_layers` were compared and give the same as the original, `unequal_layers` do not.
    """

    state: NetworkState | None
    equal_layers: set[str] = field(default_factory=set)
    unequal_layers: set[str] = field(default_factory=set)


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
    state, memory = model.state, model.state.memory
    with memory.lock, torch.inference_mode(False):
        modules = state.module_index.modules.values()
        # A copy could not be trusted to run what was put around or in place of its modules.
        if _has_hooks(modules) or replaced_forwards(modules):
            return plain
        cache = memory.recall(CopyCache)
        if cache is None or not cache.fingerprint.matches(state):
            cache = CopyCache(NetworkFingerprint(state))
            memory.keep(cache)
        if model.output_layer is not None:
            layers = [*layers, model.output_layer]
        # The file of a concept may change while its name stays.
        layers = [read_layer(name).layer if is_concept_layer(name) else name for name in layers]
        key = tuple(layers)
        if key not in cache.by_layers:
            is_first = not cache.by_layers
            cache.by_layers[key] = _Copier(model, cache).copy_for(layers)
            if is_first:
                cache.fingerprint.leave_out_changed(state)
        network_copy = cache.by_layers[key]
    if network_copy.state is not None and not network_copy.unequal_layers.intersection(layers):
        plain.state = network_copy.state
    return plain


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


class _Copier:
    """Makes copies of a network and compares them with it."""

    def __init__(self, model: Model, cache: CopyCache) -> None:
        self._model = copy.copy(model)
        self._model.half, self._model.output_layer = False, None
        self._cache = cache

    def copy_for(self, layers: Sequence[str]) -> NetworkCopy:
        """The copy for these layers: an old one or a new one, compared at those of them that were
        not compared before."""
        cache = self._cache
        if cache.is_uncopyable:
            return NetworkCopy(None)
        with Probe(self._model) as probe:
            all_layers = probe.layers
            bases = {module_and_call(name)[0] for name in layers}
            needed = bases | {all_layers[base].source for base in bases}
            try:
                if cache.pairs is None:
                    cache.pairs, cache.size = self._pairs(probe)
                unfolded = frozenset(name for name, _ in cache.pairs if name in needed)
                network_copy = cache.copies.get(unfolded)
                is_new = network_copy is None
                if network_copy is None:
                    network_copy = self._new_copy(unfolded)
                compared = network_copy.equal_layers | network_copy.unequal_layers
                fresh = [name for name in layers if name not in compared]
                if network_copy.state is not None and (fresh or is_new):
                    self._compare(probe, network_copy, fresh, to_the_end=is_new)
                return network_copy
            # A network may refuse to be copied in any way; the plain one always works.
            except Exception:
                cache.copies.clear()
                cache.is_uncopyable = True
                return NetworkCopy(None)

    def _pairs(self, probe: Probe) -> tuple[list[tuple[str, str]], tuple[int, int] | None]:
        """What can be folded, and the size of the dry run's image: a small one, or None where the
        network takes its own size only."""
        height, width = (max(MIN_SIDE, side // 64 * 32) for side in self._model.size)
        try:
            return foldable_pairs(probe, self._noise((height, width))), (height, width)
        except (ImageError, ModelError):
            modules = probe.model.module_index.modules.values()
            if not any(isinstance(module, nn.BatchNorm2d) for module in modules):
                return [], None
            return foldable_pairs(probe, self._noise(None)), None

    def _noise(self, size: tuple[int, int] | None) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        size = size or self._model.size
        return self._model.preprocess(
            torch.rand(1, self._model.channels, *size, generator=generator)
        )

    def _new_copy(self, unfolded: frozenset[str]) -> NetworkCopy:
        """A copy in which these convolutions stay as they are, not compared yet."""
        cache = self._cache
        while len(cache.copies) >= MAX_COPIES:
            _drop_oldest(cache)
        folded = [pair for pair in cache.pairs or () if pair[0] not in unfolded]
        cache.copies[unfolded] = network_copy = NetworkCopy(self._prepared(folded))
        return network_copy

    def _prepared(self, folded: Sequence[tuple[str, str]]) -> NetworkState:
        """A copy with these pairs folded, channels last, and the faster gradient where there is
        one."""
        duplicate = self._duplicate()
        fold_batch_norms(duplicate, folded)
        duplicate = duplicate.to(memory_format=torch.channels_last)
        install(duplicate)
        return NetworkState(duplicate, original=self._model.state)

    def _duplicate(self) -> nn.Module:
        """A copy whose modules are its own and whose weights are still the original's memory,
        frozen and in evaluation mode."""
        network = self._model.network
        memo: dict[int, object] = {}
        for tensor in [*network.parameters(), *network.buffers()]:
            shared = tensor.detach()
            memo[id(tensor)] = (
                nn.Parameter(shared, requires_grad=False)
                if isinstance(tensor, nn.Parameter)
                else shared
            )
        return copy.deepcopy(network, memo).eval().requires_grad_(False)

    def _compare(
        self, original: Probe, copied: NetworkCopy, layers: Sequence[str], *, to_the_end: bool
    ) -> None:
        """Compare a copy with the original on a random image: at the layers, whose names it then
        keeps, and `to_the_end`; without a network where it gives something else there."""
        assert copied.state is not None
        copied_model = copy.copy(self._model)
        copied_model.state = copied.state
        with Probe(copied_model) as copied_probe:
            (first, first_end), (second, second_end) = (
                self._answers(probe, layers, to_the_end=to_the_end)
                for probe in (original, copied_probe)
            )
        if to_the_end and not agree(first_tensor(first_end), first_tensor(second_end)):
            copied.state = None
            return
        are_equal = all(agree(first[name], second[name]) for name in layers)
        (copied.equal_layers if are_equal else copied.unequal_layers).update(layers)

    def _answers(
        self, probe: Probe, layers: Sequence[str], *, to_the_end: bool
    ) -> tuple[dict[str, Tensor], object]:
        """What a network gives at the layers and at the end, from one run."""
        image = self._noise(self._cache.size)
        if not to_the_end:
            return probe.activations(image, layers), None
        if not layers:
            return {}, probe.output(image)
        return probe.activations_and_output(image, layers)


def _drop_oldest(cache: CopyCache) -> None:
    dropped = cache.copies.pop(next(iter(cache.copies)))
    cache.by_layers = {
        names: network_copy
        for names, network_copy in cache.by_layers.items()
        if network_copy is not dropped
    }
