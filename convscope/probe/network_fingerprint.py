"""Whether a network is still the same: its modules, their tensors, their settings, all values."""

from __future__ import annotations

from collections.abc import Hashable
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from torch import nn

from convscope.networks.checksum import WeightReader
from convscope.networks.state import NetworkState
from convscope.networks.value_state import ValueReader, is_atomic

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
"""Attributes that PyTorch gives to every module: the tensors among them are read with the weights,
and hooks are asked for elsewhere."""


class NetworkFingerprint:
    """What a network was like when this was made; `matches` compares it with now.

    Beside parameters and buffers the modules' own attributes count, whatever they are: numbers,
    texts, functions, plain tensors, arrays, containers of these, small objects. What lies behind
    them does not: a variable that a function reads, an object within an object. Reading takes a few
    hundredths of a forward pass, so it is done at every call of a verb.
    """

    def __init__(self, state: NetworkState) -> None:
        self._attributes = [_Attributes(vars(module)) for module in _modules(state)]
        self._tensors = WeightReader()
        self._weights = _weights(state)
        self._reading = self._read(state)

    def matches(self, state: NetworkState) -> bool:
        """Whether nothing changed, also not through `weight.data` or an array that shares its
        memory."""
        return self._has_same_attributes(self._read(state)) and self._weights == _weights(state)

    def leave_out_changed(self, state: NetworkState) -> None:
        """Count no attribute any more that changed since the fingerprint was made: for after a run,
        as it writes what a network keeps of it (an attention map, a counter)."""
        before, after = self._reading, self._read(state)
        if before is None or after is None or self._has_same_attributes(after):
            return
        written: set[int] = set()
        rows = zip(self._attributes, _modules(state), before.modules, after.modules, strict=True)
        for attributes, module, old, new in rows:
            written |= attributes.leave_out_changed(vars(module), old, new)
        for attributes, module in zip(self._attributes, _modules(state), strict=True):
            attributes.leave_out_objects(vars(module), written)
        self._reading = self._read(state)

    def _has_same_attributes(self, reading: _Reading | None) -> bool:
        return reading is not None and _is_same(reading, self._reading)

    def _read(self, state: NetworkState) -> _Reading | None:
        """All attributes as they are now; None where some are gone."""
        modules = state.module_index.modules
        if len(self._attributes) != len(modules):
            return None
        values = ValueReader(modules.values())
        try:
            readings = [
                attributes.read(module.__dict__, values)
                for module, attributes in zip(modules.values(), self._attributes, strict=True)
            ]
        except KeyError:
            return None
        identities: list[_Identity] = [
            (name, id(module), type(module).forward) for name, module in modules.items()
        ]
        return _Reading(identities, readings, self._tensors.read(values.tensors))


_ModuleReading: TypeAlias = tuple[int, tuple[object, ...], list[Hashable]]
"""How many attributes a module has, the plain ones, and what stands for the others."""


_Identity: TypeAlias = tuple[str, int, object]
"""A module's name, its id, and the method that runs it."""


class _Reading(NamedTuple):
    """All modules: which they are, their attributes, and the values of the tensors among these."""

    identities: list[_Identity]
    modules: list[_ModuleReading]
    tensors: Hashable


class _Attributes:
    """One module's own attributes, by name: those that are plain values, and others."""

    def __init__(self, attributes: dict[str, object]) -> None:
        names = [name for name in attributes if name not in _OF_EVERY_MODULE]
        self._set_plain([name for name in names if is_atomic(attributes[name])])
        self._others = [name for name in names if name not in self._plain]

    def read(self, attributes: dict[str, object], values: ValueReader) -> _ModuleReading:
        """How many attributes there are, the plain ones, and what stands for the others.

        Raises:
            KeyError: one is gone.
        """
        others = [values.read(attributes[name]) for name in self._others]
        plain = self._read_plain(attributes) if self._read_plain is not None else ()
        return len(attributes), plain, others

    def leave_out_changed(
        self,
        attributes: dict[str, object],
        before: _ModuleReading,
        after: _ModuleReading,
    ) -> set[int]:
        """Forget the names of those that changed; the ids of the objects among them."""
        plain = zip(self._plain, before[1], after[1], strict=False)
        self._set_plain([name for name, old, new in plain if _is_same(old, new)])
        others = zip(self._others, before[2], after[2], strict=True)
        changed = {name for name, old, new in others if old != new}
        self._others = [name for name in self._others if name not in changed]
        return {id(attributes[name]) for name in changed}

    def leave_out_objects(self, attributes: dict[str, object], objects: set[int]) -> None:
        """Forget the names under which these objects stand."""
        self._others = [name for name in self._others if id(attributes[name]) not in objects]

    def _set_plain(self, names: list[str]) -> None:
        self._plain = names
        # Two names at least make a tuple of what is read.
        self._read_plain = itemgetter(*names, *names[:1]) if names else None


def _is_same(first: object, second: object) -> bool:
    """Whether two readings say the same; a tensor or array in the place of a number does not."""
    try:
        return bool(first == second)
    except (RuntimeError, ValueError):
        return False


def _modules(state: NetworkState) -> list[nn.Module]:
    return list(state.module_index.modules.values())


def _weights(state: NetworkState) -> Hashable:
    return state.memory.weight_state(state.module_index)
