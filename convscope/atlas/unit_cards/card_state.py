"""How far the pass for unit cards has come, as data that can be merged and kept in a file."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.unit_cards.label_sums import LabelSums
from convscope.core.damaged import DAMAGED

_SUMS = ("count", "total", "squares")


@dataclass
class CardState:
    """The photos that excite each unit most (`best`) and least (`least`, whose values are negated),
    and what it does on the photos of each label, by layer."""

    best: PassState
    least: PassState
    sums: dict[str, LabelSums] = field(default_factory=dict)

    @property
    def shards(self) -> set[int]:
        """The shards that are in it."""
        return self.best.shards

    def merge(self, other: CardState) -> None:
        """Take in another part of the pass; one that is in it already is left alone."""
        if other.shards & self.shards:
            return
        self.best.merge(other.best)
        self.least.merge(other.least)
        for layer, sums in other.sums.items():
            if layer in self.sums:
                self.sums[layer].merge(sums)
            else:
                self.sums[layer] = sums

    def to_bytes(self) -> bytes:
        """For `from_bytes`."""
        arrays: dict[str, NDArray[np.generic]] = {
            "best": np.frombuffer(self.best.to_bytes(), np.uint8),
            "least": np.frombuffer(self.least.to_bytes(), np.uint8),
            "layers": np.array(list(self.sums), dtype=np.str_),
        }
        for place, sums in enumerate(self.sums.values()):
            arrays |= {f"{name}-{place}": getattr(sums, name) for name in _SUMS}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> CardState | None:
        """What `to_bytes` gave; None where it is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                best = PassState.from_bytes(arrays["best"].tobytes())
                least = PassState.from_bytes(arrays["least"].tobytes())
                if best is None or least is None:
                    return None
                sums = {
                    layer: LabelSums(*(arrays[f"{name}-{place}"] for name in _SUMS))
                    for place, layer in enumerate(arrays["layers"].tolist())
                }
                return cls(best, least, sums)
        except DAMAGED:
            return None
