"""Whether a network is still the same: its modules, their tensors, their settings, all values."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from convscope.networks.state import NetworkState

_WATCHED = frozenset({int, float, bool, str, tuple, type(None)})
"""Types of a module's own attributes that are watched for changes (a stride, a momentum, an
activation's name)."""


class NetworkFingerprint:
    """What a network was like when this was made; `matches` compares it with now.

    Reading takes a few hundredths of a forward pass, so it is done at every call of a verb.
    """

    def __init__(self, state: NetworkState) -> None:
        self._readers = [_reader(module.__dict__) for module in state.module_index.modules.values()]
        self._fingerprint = self._read(state)

    def matches(self, state: NetworkState) -> bool:
        """Whether nothing changed, also not through `weight.data` or an array that shares its
        memory."""
        return self._fingerprint == self._read(state)

    def _read(self, state: NetworkState) -> tuple[object, ...] | None:
        modules = state.module_index.modules
        if len(self._readers) != len(modules):
            return None
        parts: list[object] = []
        try:
            for (name, module), read in zip(modules.items(), self._readers, strict=True):
                parts += (name, id(module), read(module.__dict__))
        except KeyError:
            return None
        return *parts, state.memory.weight_state(state.module_index)


def _reader(attributes: dict[str, object]) -> Callable[[dict[str, object]], object]:
    """What reads the watched ones among a module's attributes."""
    names = [
        name for name, value in attributes.items() if name != "training" and type(value) in _WATCHED
    ]
    return itemgetter(*names) if names else dict.__len__
