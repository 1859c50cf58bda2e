"""Which units of a network see the same photos, and under which labels: from the best examples,
units x k in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

Unit = tuple[int, int]
"""A layer's place in the network's list, and the unit's index."""


class Similarity:
    """Units by the photos that excite them most."""

    def __init__(self) -> None:
        self._units: list[Unit] = []
        self._vectors: list[dict[int, float]] = []
        self._place: dict[Unit, int] = {}
        self._photos: dict[str, int] = {}
        self._labels: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._by_photo: dict[int, tuple[Any, Any]] = {}

    def add(self, layer: int, found: Iterable[dict[str, Any]]) -> None:
        """Take in a layer's examples; only the best count."""
        for row in found:
            if row["kind"] != "top":
                continue
            unit = (layer, row["unit"])
            if unit not in self._place:
                self._place[unit] = len(self._units)
                self._units.append(unit)
                self._vectors.append({})
            place = self._place[unit]
            self._vectors[place][self._photos.setdefault(row["photo"], len(self._photos))] = row[
                "value"
            ]
            if row["label"]:
                self._labels[row["label"]][place] += 1

    def similar(self, unit: Unit, count: int) -> list[tuple[Unit, float]]:
        """The units that the same photos excite, the nearest first, with the cosine of their
        values."""
        if unit not in self._place:
            return []
        if not self._by_photo:
            self._index()
        place = self._place[unit]
        total = np.zeros(len(self._units))
        for photo, value in self._vectors[place].items():
            places, values = self._by_photo[photo]
            total[places] += value * values
        total[place] = 0.0
        total = np.asarray(
            np.round(total / float(np.linalg.norm(list(self._vectors[place].values())) or 1.0), 6),
            np.float64,
        )
        order = np.argsort(-total, kind="stable")[:count]
        return [
            (self._units[other], float(total[other]))
            for other in order.tolist()
            if total[other] > 0
        ]

    def labels(self) -> dict[str, list[tuple[Unit, int]]]:
        """Label -> the units with such photos among their best, and how many, most first."""
        found = {}
        for label in sorted(self._labels):
            counted = ((self._units[place], count) for place, count in self._labels[label].items())
            found[label] = sorted(counted, key=lambda one: (-one[1], one[0]))
        return found

    def _index(self) -> None:
        """Photo -> the units that it excites, and their values over the unit's norm."""
        held: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        for place, vector in enumerate(self._vectors):
            norm = float(np.linalg.norm(list(vector.values()))) or 1.0
            for photo, value in vector.items():
                held[photo][0].append(place)
                held[photo][1].append(value / norm)
        self._by_photo = {
            photo: (np.array(places), np.array(values)) for photo, (places, values) in held.items()
        }
