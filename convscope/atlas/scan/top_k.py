"""Of every unit of a layer the k best photos, and its values at a reservoir of photos drawn by
chance. Mergeable.

The best are those of a total order (value, then the photo's place in the listing), and the
reservoir are the photos whose name's hash is smallest, so that neither depends on the order in
which parts of a pass are merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

NOTHING = -1
"""The photo of an empty slot."""


def priority(name: str, seed: int) -> int:
    """A number drawn by a photo's name: the photos with the smallest are in the reservoir."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7], "big")


@dataclass
class TopK:
    """One layer: value, photo and place of the k best of each unit (units k, best first), value and
    place at the photos of the reservoir (photos units), and height and width of its maps."""

    value: Floats
    photo: Integers
    place: Integers
    reservoir_value: Floats
    reservoir_place: Integers
    grid: tuple[int, int]

    @classmethod
    def empty(cls, units: int, k: int, grid: tuple[int, int]) -> TopK:
        """Nothing seen."""
        none = np.full((units, k), NOTHING, np.int64)
        value = np.full((units, k), -np.inf, np.float32)
        return cls(
            value,
            none,
            none.copy(),
            np.empty((0, units), np.float32),
            np.empty((0, units), np.int64),
            grid,
        )

    def update(
        self,
        value: Floats,
        photo: Integers,
        place_of: Callable[[Integers, Integers], Integers],
        sampled_rows: list[int],
    ) -> None:
        """Take in a batch: `value` is n units, `photo` n in the order of the listing, and
        `place_of` finds where values lie, for pairs of (row of the batch, unit); `sampled_rows` are
        the rows for the reservoir. What is NaN or infinite is never among the best."""
        value = np.where(np.isfinite(value), value, np.float32(-np.inf)).astype(np.float32)
        self._update_best(value, photo, place_of)
        if sampled_rows:
            units_all = np.arange(value.shape[1])
            rows = np.repeat(np.array(sampled_rows), len(units_all))
            place = place_of(rows, np.tile(units_all, len(sampled_rows))).reshape(
                len(sampled_rows), -1
            )
            self.reservoir_value = np.concatenate([self.reservoir_value, value[sampled_rows]])
            self.reservoir_place = np.concatenate([self.reservoir_place, place])

    def _update_best(
        self, value: Floats, photo: Integers, place_of: Callable[[Integers, Integers], Integers]
    ) -> None:
        improved = np.flatnonzero((value > self.value[:, -1]).any(0))
        if not len(improved):
            return
        k = self.value.shape[1]
        new = np.ascontiguousarray(value[:, improved].T)
        # What is not among the batch's own k best cannot stay, so its place need not be found.
        best = np.argsort(-new, axis=1, kind="stable")[:, :k]
        new = np.take_along_axis(new, best, 1)
        rows, ranks = np.nonzero(new > self.value[improved, -1:])
        place = np.full(new.shape, NOTHING, np.int64)
        place[rows, ranks] = place_of(best[rows, ranks], improved[rows])
        values = np.concatenate([self.value[improved], new], 1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        self.value[improved] = np.take_along_axis(values, order, 1)
        self.photo[improved] = np.take_along_axis(
            np.concatenate([self.photo[improved], photo[best]], 1), order, 1
        )
        self.place[improved] = np.take_along_axis(
            np.concatenate([self.place[improved], place], 1), order, 1
        )

    def merge(self, other: TopK) -> None:
        """Take in what another part of the pass found; the photos of the reservoir are appended."""
        value = np.concatenate([self.value, other.value], 1)
        photo = np.concatenate([self.photo, other.photo], 1)
        place = np.concatenate([self.place, other.place], 1)
        order = np.lexsort((photo, -value), axis=1)[:, : self.value.shape[1]]
        self.value, self.photo, self.place = (
            np.take_along_axis(array, order, 1) for array in (value, photo, place)
        )
        self.reservoir_value = np.concatenate([self.reservoir_value, other.reservoir_value])
        self.reservoir_place = np.concatenate([self.reservoir_place, other.reservoir_place])


def evenly_spaced(values: Floats, count: int) -> list[int]:
    """The places of `count` values at even steps through their range's quantiles, lowest first;
    fewer where there are fewer."""
    known = [
        place for place in np.argsort(values, kind="stable").tolist() if np.isfinite(values[place])
    ]
    count = min(count, len(known))
    return [known[int((step + 0.5) / count * len(known))] for step in range(count)]
