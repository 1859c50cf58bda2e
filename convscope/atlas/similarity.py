"""Which units of a network see the same photos, and under which labels: from the best examples,
units x k in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from convscope.atlas.example_rows import PhotosByName, best_by_listing
from convscope.atlas.store.reader import Row
from convscope.atlas.store.rows import ExampleColumns

Unit = tuple[int, int]
"""A layer's position in the network's list, and the unit's index."""


Vector = dict[int, float]
"""Photo -> value."""


class UnitSimilarity:
    """Units as vectors of values over the photos that excite them most.

    Values over different listings of photos cannot be compared: a unit has a vector for each, and
    two units are compared by one of them.
    """

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self._vectors: list[dict[str, Vector]] = []
        self._position: dict[Unit, int] = {}
        self._photos: dict[tuple[str, str], int] = {}
        self._num_units: Counter[str] = Counter()
        self._label_counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._by_photo: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}

    def add(self, layer: int, examples: Iterable[Row[ExampleColumns]]) -> None:
        """Take in a layer's examples; only the best count, not the sample."""
        by_unit: dict[int, list[Row[ExampleColumns]]] = defaultdict(list)
        for row in examples:
            if row.columns["kind"] == "top":
                by_unit[row.columns["unit"]].append(row)
        for index, rows in by_unit.items():
            self._add_unit((layer, index), best_by_listing(rows))

    def _add_unit(self, unit: Unit, listings: dict[str, PhotosByName]) -> None:
        position = self._position[unit] = len(self.units)
        self.units.append(unit)
        self._vectors.append({})
        self._num_units.update(list(listings))
        for listing, rows in listings.items():
            vector = self._vectors[position][listing] = {}
            for name, row in rows.items():
                photo = self._photos.setdefault((listing, name), len(self._photos))
                vector[photo] = row["value"]
                if row["label"]:
                    self._label_counts[row["label"]][position] += 1

    def __contains__(self, unit: Unit) -> bool:
        return unit in self._position

    def cosines(self, unit: Unit) -> NDArray[np.float64]:
        """The cosine between one unit's vector and that of each of `units`, its own included, over
        the listing in which the unit has the most photos; of several, that with the most units. A
        unit without examples from there has 0."""
        if not self._by_photo:
            self._build_index()
        vectors = self._vectors[self._position[unit]]
        vector = vectors[max(vectors, key=lambda name: (len(vectors[name]), self._num_units[name]))]
        total = np.zeros(len(self.units))
        for photo, value in vector.items():
            positions, values = self._by_photo[photo]
            total[positions] += value * values
        return total / float(np.linalg.norm(list(vector.values())) or 1.0)

    def similar(self, unit: Unit, count: int) -> list[tuple[Unit, float]]:
        """The units that the same photos excite, the nearest first, with the cosine of their
        values."""
        if unit not in self:
            return []
        # Rounded, so that the order does not depend on how a machine adds up.
        cosines = np.round(self.cosines(unit), 6)
        cosines[self._position[unit]] = 0.0
        order = np.argsort(-cosines, kind="stable")[:count]
        return [
            (self.units[other], float(cosines[other]))
            for other in order.tolist()
            if cosines[other] > 0
        ]

    def labels(self) -> dict[str, list[tuple[Unit, int]]]:
        """Label -> the units with such photos among their best, and how many, most first."""
        return {
            label: sorted(
                (
                    (self.units[position], count)
                    for position, count in self._label_counts[label].items()
                ),
                key=lambda pair: (-pair[1], pair[0]),
            )
            for label in sorted(self._label_counts)
        }

    def _build_index(self) -> None:
        """Photo -> the units that it excites, and their values over the unit's norm."""
        pairs: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        for position, vectors in enumerate(self._vectors):
            for vector in vectors.values():
                norm = float(np.linalg.norm(list(vector.values()))) or 1.0
                for photo, value in vector.items():
                    pairs[photo][0].append(position)
                    pairs[photo][1].append(value / norm)
        self._by_photo = {
            photo: (np.array(positions), np.array(values))
            for photo, (positions, values) in pairs.items()
        }
