"""What any value is like now, so that a change of it is noticed: numbers, tensors, arrays,
containers of them, plain objects."""

from __future__ import annotations

import dataclasses
import weakref
from collections import deque
from collections.abc import Hashable, Iterable
from types import ModuleType
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from convscope.networks.checksum import checksum, versions_of

ATOMS = frozenset(
    {int, float, complex, bool, str, bytes, type(None), torch.dtype, torch.device, torch.Size}
)
"""Types of values that never change."""

DEEPEST = 6
"""How deep containers are read; what lies deeper counts as one object."""

_CONTAINERS = (tuple, list, set, frozenset, deque)
_TENSORS = (Tensor, nn.Parameter, nn.Buffer)


def is_atomic(value: object) -> bool:
    """Whether it never changes: an atom, or a tuple of atoms."""
    kind = type(value)
    return kind in ATOMS or (
        kind is tuple and ATOMS.issuperset(map(type, cast("tuple[object]", value)))
    )


def state_of(*values: object) -> Hashable:
    """Stands for the values as they are now: equal to another one as long as nothing changed."""
    reader = ValueReader()
    return reader.read_all(values), checksum(reader.tensors)


class ValueReader:
    """Reads values into something that is compared and hashed.

    An object that is met twice is read once. `tensors` are those that it met: their values are no
    part of what is read, since a checksum of all together is cheaper.

    Args:
        known: objects that the caller looks at himself; only which one it is counts.
    """

    def __init__(self, known: Iterable[object] = ()) -> None:
        self.tensors: list[Tensor] = []
        self._seen = {id(value): value for value in known}

    def read(self, value: object, depth: int = 0, *, within_object: bool = False) -> Hashable:
        """Stands for one value."""
        kind = type(value)
        if kind in ATOMS:
            return kind, value
        if isinstance(value, Tensor):
            return self._read_tensor(value)
        if isinstance(value, np.ndarray):
            return kind, value.shape, value.dtype.str, hash(value.tobytes())
        if isinstance(value, (list, tuple)) and ATOMS.issuperset(map(type, value)):
            return kind, *value
        if id(value) in self._seen or depth >= DEEPEST:
            return SameObject(value)
        self._seen[id(value)] = value
        if isinstance(value, _CONTAINERS):
            return kind, self.read_all(value, depth, within_object=within_object)
        if isinstance(value, dict):
            parts = (*value.keys(), *value.values())
            return kind, self.read_all(parts, depth, within_object=within_object)
        attributes = getattr(value, "__dict__", None)
        if within_object or not isinstance(attributes, dict) or isinstance(value, ModuleType):
            return SameObject(value)
        parts = (*attributes.keys(), *attributes.values())
        is_record = dataclasses.is_dataclass(value)
        return (
            None if is_record else SameObject(value),
            kind,
            # What objects refer to may be the whole program; what modules do is the network.
            self.read_all(parts, depth, within_object=not isinstance(value, nn.Module)),
        )

    def read_all(
        self, values: Iterable[object], depth: int = 0, *, within_object: bool = False
    ) -> Hashable:
        """Stands for several values: their types first, since an array cannot be compared with a
        number."""
        values = tuple(values)
        kinds = tuple(map(type, values))
        if ATOMS.issuperset(kinds):
            return kinds, values
        return kinds, tuple(
            self.read(value, depth + 1, within_object=within_object) for value in values
        )

    def _read_tensor(self, tensor: Tensor) -> Hashable:
        has_values = tensor.layout is torch.strided and tensor.device.type != "meta"
        if type(tensor) not in _TENSORS or not has_values or tensor.is_quantized:
            return SameObject(tensor)
        self.tensors.append(tensor)
        return versions_of([tensor])


class SameObject:
    """Equal to that of the same object alone, for as long as the object lives, which this does not
    prolong."""

    __slots__ = ("_id", "_reference")

    def __init__(self, value: object) -> None:
        self._id = id(value)
        try:
            self._reference: weakref.ref[object] | None = weakref.ref(value)
        except TypeError:
            self._reference = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SameObject) or self._id != other._id:
            return False
        if self._reference is None or other._reference is None:
            return self._reference is other._reference
        # Another object may have got the place of one that is gone.
        return self._reference() is not None and self._reference() is other._reference()

    def __hash__(self) -> int:
        return self._id
