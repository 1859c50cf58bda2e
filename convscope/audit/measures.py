"""How good the answers are: accuracy, calibration and confusions, each with an interval from a
bootstrap over the photos (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convscope.audit.predictions import Flags, Floats, Integers, Predictions

RESAMPLES = 1000
"""Of a bootstrap: the ends of a 95 % interval are then known to about a tenth of its width."""

LEVEL = 0.95
"""Of the intervals."""

BINS = 15
"""Of the calibration error, as in Guo et al. (2017)."""

CHUNK = 20
"""Resamples at once, so that memory stays bounded for many photos."""


@dataclass(frozen=True)
class Interval:
    """A value, and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ClassMeasure:
    """One class: photos labeled so, the share of them that is right, and of the answers that name
    it the share that is right (None where there is none)."""

    index: int
    photos: int
    recall: Interval
    answers: int
    precision: float | None


@dataclass(frozen=True)
class Confusion:
    """Photos of one class that get another."""

    label: int
    predicted: int
    photos: int


@dataclass(frozen=True)
class Bin:
    """Answers of about the same probability: how many, their mean probability, the share right."""

    low: float
    high: float
    photos: int
    probability: float
    accuracy: float


def accuracy(is_right: Flags, seed: int) -> Interval:
    """The share that is right. Resampling yes and no with replacement is a binomial draw, so that
    no photo need be drawn."""
    count = len(is_right)
    value = float(is_right.mean()) if count else float("nan")
    if not count:
        return Interval(value, value, value)
    draws = np.random.default_rng(seed).binomial(count, value, RESAMPLES) / count
    return Interval(value, *_ends(draws))


def calibration_error(
    probability: Floats, is_right: Flags, seed: int
) -> tuple[Interval, list[Bin]]:
    """The expected calibration error over `BINS` bins of equal width, and the bins: the mean gap
    between probability and accuracy (Naeini et al., 2015)."""
    place = np.clip(np.ceil(probability * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count = len(place)

    def error(weight: Floats) -> Floats:
        """The error of each resample (r n -> r)."""
        gaps = np.zeros(len(weight))
        for number in range(BINS):
            inside = place == number
            if inside.any():
                difference = is_right[inside] - probability[inside]
                gaps += np.abs(weight[:, inside] @ difference)
        return np.asarray(gaps / weight.sum(1))

    value = float(error(np.ones((1, count)))[0])
    bins = []
    for number in range(BINS):
        inside = place == number
        size = int(inside.sum())
        mean = float(probability[inside].mean()) if size else 0.0
        right = float(is_right[inside].mean()) if size else 0.0
        bins.append(Bin(number / BINS, (number + 1) / BINS, size, mean, right))
    return Interval(value, *_ends(_resampled(error, count, seed))), bins


def class_measures(predictions: Predictions, seed: int) -> list[ClassMeasure]:
    """Every class that has photos, the least accurate first."""
    measures = []
    for index in np.unique(predictions.label[predictions.is_labeled]).tolist():
        labeled = predictions.label == index
        named = predictions.is_labeled & (predictions.predicted == index)
        right = predictions.is_correct
        measures.append(
            ClassMeasure(
                index,
                int(labeled.sum()),
                accuracy(right[labeled], seed),
                int(named.sum()),
                float(right[named].mean()) if named.any() else None,
            )
        )
    return sorted(measures, key=lambda measure: (measure.recall.value, -measure.photos))


def confusions(predictions: Predictions) -> list[Confusion]:
    """Pairs of label and other answer, the most frequent first."""
    wrong = predictions.mistakes
    pairs = np.stack([predictions.label[wrong], predictions.predicted[wrong]], 1)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [Confusion(int(unique[at, 0]), int(unique[at, 1]), int(counts[at])) for at in order]


def confusion_matrix(label: Integers, predicted: Integers, classes: int) -> Floats:
    """Counts, label by prediction (classes classes)."""
    matrix = np.zeros((classes, classes))
    np.add.at(matrix, (label, predicted), 1)
    return matrix


def _resampled(measure: Callable[[Floats], Floats], count: int, seed: int) -> Floats:
    """A measure of weights (r n -> r) on resamples of the photos."""
    generator = np.random.default_rng(seed)
    values = []
    for first in range(0, RESAMPLES, CHUNK):
        size = min(CHUNK, RESAMPLES - first)
        drawn = generator.integers(0, count, (size, count))
        weight = np.stack([np.bincount(row, minlength=count) for row in drawn])
        values.append(measure(weight.astype(np.float64)))
    return np.concatenate(values)


def _ends(draws: Floats) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
