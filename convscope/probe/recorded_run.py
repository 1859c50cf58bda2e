"""One complete run of a network, written down: several questions are answered from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from convscope.core.cache import Cache
from convscope.networks.layout import first_tensor
from convscope.networks.model import Model
from convscope.networks.value_state import state_of

KEPT_BYTES = 96 * 2**20
"""Of all that is kept for one network: a dozen photos of a common one."""


_NO_SETTINGS = frozenset({"state", "name", "spec", "options"})
"""What a Model holds that no answer depends on: `state` is the network, the others say where it is
from."""


class Sized(Protocol):
    """What says how much memory it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes."""
        ...


Run = TypeVar("Run", bound=Sized)


@dataclass(frozen=True, eq=False)
class RecordedRun:
    """What a network gave for one input, at some of its layers and at the end.

    `raw` holds the layers' outputs as they came; at those in `differentiable`, and from the first
    of them to `output`, the graph is kept, so that gradients can be asked for again and again.
    """

    image: Tensor
    output: object
    raw: dict[str, Tensor]
    differentiable: frozenset[str]

    @property
    def nbytes(self) -> int:
        """About what it holds in memory."""
        end = first_tensor(self.output)
        tensors = [self.image, *self.raw.values(), *([] if end is None else [end])]
        return 2 * sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def answers(self, image: Tensor, layers: Collection[str]) -> bool:
        """Whether it knows these layers and their gradients for this very input."""
        return image is self.image and self.differentiable.issuperset(layers)


_kept: WeakKeyDictionary[nn.Module, dict[type[object], Cache[object]]] = WeakKeyDictionary()


def kept_run(model: Model, kind: type[Run], key: Hashable, run: Callable[[], Run]) -> Run:
    """What `run` gives, kept for the next question with the same key to a Model with the same
    settings: another Model of the same network may preprocess photos or name classes in its own
    way.

    Only for the private copy of a network, which is another one as soon as the network changes; of
    others nothing is kept.
    """
    if not model.is_frozen:
        return run()
    key = key, _settings(model)
    cache = _kept.setdefault(model.network, {}).setdefault(kind, Cache(KEPT_BYTES))
    known = cache.get(key)
    if not isinstance(known, kind):
        known = run()
        cache.put(key, known, known.nbytes)
    return known


def _settings(model: Model) -> Hashable:
    """Stands for all that decides what an answer of the network means and is no part of it:
    preprocessing, labels, head, task, further inputs, precision."""
    facts = vars(model)
    return state_of(*(facts[key] for key in facts if key not in _NO_SETTINGS))
