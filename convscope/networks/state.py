"""What is known of a network, in one object that all copies of its Model share.

Finding out what a network's layers are costs a run of it, so that is done once: `copy.copy(model)`
and a second Model of the same network know what the first one learned. The lock lets one thread at
a time look into a network; a second one waits.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from convscope.core.types import Task
from convscope.networks.checksum import WeightReader, versions_of
from convscope.networks.class_scores import ScoreFacts
from convscope.networks.layer import Layers
from convscope.networks.layout import Layout
from convscope.networks.module_index import ModuleIndex
from convscope.networks.preprocessing import Preprocessing

Known = TypeVar("Known")

MAX_DRY_RUNS = 8
"""How many dry runs of one network are remembered: they differ in the size of the image."""


@dataclass(frozen=True)
class DryRun:
    """What one run showed: the network's layers, and how the output of each lies in its tensor."""

    layers: Layers
    layout: Layout


class NetworkMemory:
    """What was found out about one network.

    It refers to none of the network's modules, so that it can be kept for as long as the network
    lives, and no longer.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.score_facts: dict[Hashable, ScoreFacts] = {}
        self.tasks: dict[Hashable, Task] = {}
        self._dry_runs: dict[Hashable, DryRun] = {}
        self.identities: dict[Preprocessing, tuple[Hashable, str]] = {}
        self._known: dict[type[object], object] = {}
        self._this_call: dict[Hashable, object] = {}
        self._calls = 0
        self._unchanged_in: int | None = None
        self._in_evaluation_mode: ModuleIndex | None = None
        self._weights = WeightReader()

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """For the length of one call of a verb: the network is looked over once to see whether it
        changed, and not at every step."""
        # Also of a call within a call: what lies between may have changed weights.
        self._forget_call()
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._forget_call()

    def _forget_call(self) -> None:
        if self._unchanged_in != threading.get_ident():
            self._this_call.clear()

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """For the length of the block the calls that this thread makes look the network over once
        together: whoever opens it says that nobody changes the network between them. Calls of
        other threads look for themselves."""
        self._this_call.clear()
        self._unchanged_in = threading.get_ident()
        try:
            yield
        finally:
            self._unchanged_in = None
            self._this_call.clear()

    @property
    def in_call(self) -> bool:
        """Whether a verb is at work on the network."""
        return self._calls > 0

    def once_a_call(self, key: Hashable, read: Callable[[], Known]) -> Known:
        """What `read` gives, read once for the length of a call of a verb, and else every time."""
        with self.lock:
            if not self.in_call:
                return read()
            if key not in self._this_call:
                self._this_call[key] = read()
            return cast("Known", self._this_call[key])

    def weight_state(self, module_index: ModuleIndex) -> Hashable:
        """Stands for all parameters and buffers as they are now: which tensors they are, how often
        PyTorch saw them change, and a checksum for the changes that it does not see."""
        return self.once_a_call("weights", lambda: self._weights.read(module_index.tensors))

    @contextmanager
    def evaluation_mode(self, module_index: ModuleIndex) -> Iterator[None]:
        """The network in evaluation mode with frozen weights; within a call of a verb the flags are
        gone through by the outermost block only."""
        outer = self._in_evaluation_mode
        if self.in_call and outer is module_index:
            yield
            return
        try:
            with module_index.evaluation_mode():
                self._in_evaluation_mode = module_index
                yield
        finally:
            self._in_evaluation_mode = outer

    def dry_run(self, key: Hashable, run: Callable[[], DryRun]) -> DryRun:
        """The dry run of that key; `run` makes it the first time."""
        with self.lock:
            if key not in self._dry_runs:
                self._dry_runs[key] = run()
                while len(self._dry_runs) > MAX_DRY_RUNS:
                    del self._dry_runs[next(iter(self._dry_runs))]
            return self._dry_runs[key]

    def recall(self, kind: type[Known]) -> Known | None:
        """What another folder keeps here, by its type."""
        value = self._known.get(kind)
        return value if isinstance(value, kind) else None

    def keep(self, value: object) -> None:
        """Remember something about the network, in place of the last value of that type."""
        self._known[type(value)] = value


def _hash(name: str, tensors: dict[str, Tensor], preprocessing: Preprocessing) -> str:
    mean = preprocessing.mean_image
    kind = repr((name, replace(preprocessing, mean_image=None)))
    # Identities older than this setting stay what they are.
    digest = hashlib.sha256(kind.replace(", resize='crop'", "").encode())
    if mean is not None:
        digest.update(mean.cpu().contiguous().numpy().tobytes())
    for name, tensor in tensors.items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


_MEMORIES: WeakKeyDictionary[nn.Module, NetworkMemory] = WeakKeyDictionary()
"""One memory for each living network, whichever Model it is in."""

_MEMORIES_LOCK = threading.Lock()


class NetworkState:
    """A network, its modules by name, and what is known of it.

    Args:
        network: the network.
        named_modules: layer name -> module, where `named_modules()` is not the right list.
        original: where this network is a frozen inference copy, the state of its original: both
            have the same layers, and share what is known and the lock.
    """

    def __init__(
        self,
        network: nn.Module,
        named_modules: dict[str, nn.Module] | None = None,
        *,
        original: NetworkState | None = None,
    ) -> None:
        self.network = network
        self.named_modules = named_modules
        self.is_frozen = original is not None
        self._module_index: ModuleIndex | None = None
        self._structure: Hashable = original.structure if original is not None else None
        self.memory: NetworkMemory = (
            original.memory if original is not None else _memory_of(network)
        )

    def __getstate__(self) -> tuple[nn.Module, dict[str, nn.Module] | None]:
        """A copy or a pickle has the network; what is known of it is found out again."""
        return self.network, self.named_modules

    def __setstate__(self, state: tuple[nn.Module, dict[str, nn.Module] | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    def module_index(self) -> ModuleIndex:
        """The network's modules, remembered until one is replaced, added or removed."""
        index = self._module_index
        # Nobody changes a frozen copy.
        if index is None or not (
            self.is_frozen or self.memory.once_a_call(("fits", id(index)), index.is_current)
        ):
            index = self._module_index = ModuleIndex(self.network)
            if not self.is_frozen:
                self._structure = index.structure
        return index

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Layer name -> module, without the network itself."""
        if self.named_modules is not None:
            return self.named_modules
        return {name: module for name, module in self.module_index.modules.items() if name}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next((tensor.device for tensor in self._tensors()), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the weights."""
        return next(
            (tensor.dtype for tensor in self._tensors() if tensor.is_floating_point()),
            torch.float32,
        )

    def _tensors(self) -> Iterator[Tensor]:
        """Weights, then buffers; lazy, since the first one nearly always answers."""
        return chain(self.network.parameters(), self.network.buffers())

    @property
    def structure(self) -> Hashable:
        """Stands for the network's modules, their names, the shapes of their weights, and methods
        that were put in the place of their `forward`."""
        if self.is_frozen:
            return self._structure
        return self.memory.once_a_call(("structure", id(self.network)), self._read_structure)

    def _read_structure(self) -> Hashable:
        modules = self.module_index.modules
        shapes = tuple(
            weight.shape
            for module in modules.values()
            if module._parameters
            for weight in module._parameters.values()
            if weight is not None
        )
        return self._structure, shapes, replaced_forwards(modules.values())

    def identity(self, preprocessing: Preprocessing) -> str:
        """SHA-256 over all weights and the preprocessing, made again when one of them changed."""
        identities, index = self.memory.identities, self.module_index
        version = (
            id(preprocessing.mean_image),
            self.memory.weight_state(index),
            # A module may keep state elsewhere than in its parameters and buffers.
            versions_of(self._stored_tensors().values()) if index.has_other_state else (),
        )
        known = identities.get(preprocessing)
        if known is None or known[0] != version:
            name = getattr(self.network, "identity_name", type(self.network).__name__)
            known = (version, _hash(name, self._stored_tensors(), preprocessing))
            identities[preprocessing] = known
        return known[1]

    def _stored_tensors(self) -> dict[str, Tensor]:
        """The tensors that a file of the network's weights would hold, by name."""
        return {
            name: tensor
            for name, tensor in self.network.state_dict(keep_vars=True).items()
            if isinstance(tensor, Tensor)
        }


def replaced_forwards(modules: Iterable[nn.Module]) -> tuple[int, ...]:
    """The methods that stand in a module itself, in the place of its class's `forward`."""
    return tuple(
        id(module.__dict__["forward"]) for module in modules if "forward" in module.__dict__
    )


def _memory_of(network: nn.Module) -> NetworkMemory:
    with _MEMORIES_LOCK:
        return _MEMORIES.setdefault(network, NetworkMemory())
