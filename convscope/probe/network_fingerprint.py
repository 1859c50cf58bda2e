"""Whether a network is still the same: its modules, their tensors, their settings, all values."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from torch import nn

from convscope.networks.state import NetworkMemory

_WATCHED = frozenset({int, float, bool, str, tuple, type(None)})
"""Types of a module's own attributes that are watched for changes (a stride, a momentum, an
activation's name)."""


class NetworkFingerprint:
    """What a network was like when this was made; `matches` compares it with now.

    Reading takes a few hundredths of a forward pass, so it is done at every call of a verb.
    """

    def __init__(self, modules: dict[str, nn.Module], memory: NetworkMemory) -> None:
        self._readers = [_reader(module) for module in modules.values()]
        self._fingerprint = self._read(modules, memory)

    def matches(self, modules: dict[str, nn.Module], memory: NetworkMemory) -> bool:
        """Whether nothing changed, also not through `weight.data` or an array that shares its
        memory."""
        return self._fingerprint == self._read(modules, memory)

    def _read(
        self, modules: dict[str, nn.Module], memory: NetworkMemory
    ) -> tuple[object, ...] | None:
        if len(self._readers) != len(modules):
            return None
        parts: list[object] = []
        try:
            for (name, module), read in zip(modules.items(), self._readers, strict=True):
                parts += (name, id(module), read(module.__dict__))
        except KeyError:
            return None
        return *parts, memory.weight_state(modules.values())


def _reader(module: nn.Module) -> Callable[[dict[str, object]], object]:
    """What reads the watched attributes of a module from its `__dict__`."""
    names = [
        name
        for name, value in module.__dict__.items()
        if name != "training" and type(value) in _WATCHED
    ]
    return itemgetter(*names) if names else dict.__len__
