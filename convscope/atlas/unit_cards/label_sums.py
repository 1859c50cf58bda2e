"""What a unit does on the photos of each label: counts, sums and sums of squares, mergeable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class LabelSums:
    """Of one layer: how many photos bear each label (labels), and the sums of the units' values on
    them and of their squares (labels units)."""

    count: NDArray[np.int64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def empty(cls, labels: int, units: int) -> LabelSums:
        """Nothing seen."""
        return cls(np.zeros(labels, np.int64), np.zeros((labels, units)), np.zeros((labels, units)))

    def update(self, labels: list[int | None], values: NDArray[np.float64]) -> None:
        """Take in photos: the number of each one's label, and the units' values (n units)."""
        for label, row in zip(labels, values, strict=True):
            if label is not None:
                self.count[label] += 1
                self.total[label] += row
                self.squares[label] += row**2

    def merge(self, other: LabelSums) -> None:
        """Take in another part of the pass."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
