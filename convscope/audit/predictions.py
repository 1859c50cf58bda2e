"""What the first pass says, as columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.core.types import JsonObject

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """The photos that could be read, a column an array: their numbers, names, labels (-1 where
    there is none) and predictions; and name and reason of the others."""

    number: Integers
    names: list[str]
    label: Integers
    label_texts: list[str | None]
    predicted: Integers
    probability: Floats
    label_probability: Floats
    rank: Integers
    margin: Floats
    skipped: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_labeled(self) -> Flags:
        """Which photos have a label."""
        return np.asarray(self.label >= 0)

    @property
    def is_correct(self) -> Flags:
        """Which photos get their label as the top prediction."""
        return np.asarray(self.is_labeled & (self.label == self.predicted))

    @property
    def mistakes(self) -> Integers:
        """The indices of the mistakes, the worst first: those with the least probability left for
        the label, and among these the largest margin."""
        indices = np.flatnonzero(self.is_labeled & (self.label != self.predicted))
        # Where probabilities round to zero the margin still tells them apart.
        order = np.lexsort((-self.margin[indices], self._loss(indices)))
        return np.asarray(indices[order])

    def _loss(self, indices: Integers) -> Floats:
        """The logarithm of the label's probability, to three digits."""
        return np.asarray(np.round(np.log(self.label_probability[indices].clip(1e-12)), 3))

    @classmethod
    def of(cls, rows: Iterable[JsonObject]) -> Predictions:
        """The columns of rows of the table of photos."""
        numbers: list[int] = []
        names: list[str] = []
        texts: list[str | None] = []
        integers: list[tuple[int, int, int]] = []
        floats: list[tuple[float, float, float]] = []
        skipped: list[tuple[str, str]] = []
        for row in rows:
            if row["unreadable"] is not None:
                skipped.append((row["photo"], row["unreadable"]))
                continue
            numbers.append(row["number"])
            names.append(row["photo"])
            texts.append(row["label"])
            has_label = row["label_index"] is not None
            label = row["label_index"] if has_label else -1
            integers.append((label, row["predicted_index"], row["rank"] if has_label else -1))
            floats.append(
                (
                    row["probability"],
                    row["label_probability"] if has_label else np.nan,
                    row["margin"] if has_label else np.nan,
                )
            )
        whole = np.asarray(integers, np.int64).reshape(-1, 3)
        parts = np.asarray(floats, np.float64).reshape(-1, 3)
        label_column, predicted, rank = whole.T
        return cls(
            np.asarray(numbers, np.int64),
            names,
            label_column,
            texts,
            predicted,
            parts[:, 0],
            parts[:, 1],
            rank,
            parts[:, 2],
            skipped,
        )
