"""How good the answers are: accuracy, calibration and confusions, with 95 % intervals."""

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


def accuracy(is_right: Flags) -> Interval:
    """The share that is right, with Wilson's interval (1927): of a few photos that are all right,
    too, it says what other photos may show."""
    from scipy.stats import binomtest

    count = len(is_right)
    if not count:
        return Interval(float("nan"), float("nan"), float("nan"))
    test = binomtest(int(is_right.sum()), count)
    ends = test.proportion_ci(LEVEL, method="wilson")
    return Interval(float(is_right.mean()), float(ends.low), float(ends.high))


def calibration_error(
    probability: Floats, is_right: Flags, seed: int
) -> tuple[Interval, list[Bin]]:
    """The expected calibration error over `BINS` bins of equal width, and the bins: the mean gap
    between probability and accuracy (Naeini et al., 2015).

    Chance never makes a mean of gaps smaller, so the error of few photos is above that of many, and
    that of their resamples is above it again. Therefore the interval is the reversed one (Davison
    and Hinkley, 1997): it lies as far below the value as the bootstrap's lies above. It begins at 0
    where answers that are right just as often as they say would have as large an error by chance
    (Bröcker and Smith, 2007), and always holds the value.
    """
    bin_of = np.clip(np.ceil(probability * BINS).astype(np.int64) - 1, 0, BINS - 1)
    count = len(bin_of)
    is_inside = [bin_of == number for number in range(BINS)]

    def error(difference: Floats) -> Floats:
        """The error of differences between right (1 or 0) and probability (r n -> r)."""
        gaps = [np.abs(difference[:, inside].sum(1)) for inside in is_inside if inside.any()]
        return np.asarray(sum(gaps) / count)

    def resampled(generator: np.random.Generator, size: int) -> Floats:
        drawn = generator.integers(0, count, (size, count))
        weight = np.stack([np.bincount(row, minlength=count) for row in drawn])
        return error(weight * (is_right - probability))

    def by_chance(generator: np.random.Generator, size: int) -> Floats:
        return error((generator.random((size, count)) < probability) - probability)

    value = float(error((is_right - probability)[None])[0])
    low, high = np.quantile(_draws(resampled, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    is_calibrated = value <= float(np.quantile(_draws(by_chance, seed), (1 + LEVEL) / 2))
    interval = Interval(
        value,
        0.0 if is_calibrated else min(value, max(0.0, 2 * value - high)),
        max(value, 2 * value - low),
    )
    return interval, _bins(probability, is_right, is_inside)


def _bins(probability: Floats, is_right: Flags, is_inside: list[Flags]) -> list[Bin]:
    bins = []
    for number, inside in enumerate(is_inside):
        size = int(inside.sum())
        mean = float(probability[inside].mean()) if size else 0.0
        right = float(is_right[inside].mean()) if size else 0.0
        bins.append(Bin(number / BINS, (number + 1) / BINS, size, mean, right))
    return bins


def class_measures(predictions: Predictions) -> list[ClassMeasure]:
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
                accuracy(right[labeled]),
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


def _draws(draw: Callable[[np.random.Generator, int], Floats], seed: int) -> Floats:
    """`RESAMPLES` draws of a measure, of which `draw` makes so many at once."""
    generator = np.random.default_rng(seed)
    sizes = [min(CHUNK, RESAMPLES - first) for first in range(0, RESAMPLES, CHUNK)]
    return np.concatenate([draw(generator, size) for size in sizes])
