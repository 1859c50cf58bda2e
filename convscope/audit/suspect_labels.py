"""Labels that are probably wrong, not the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convscope.audit.predictions import Integers, Predictions

UNLIKELY = 0.01
"""A label with less probability than this is suspect."""

TAIL = 0.2
"""Of mistakes whose label has more probability than that, at most this part more is expected below
it: the share beyond one in a hundred, for probabilities that are twice as sure as they should
be."""

SIGNIFICANCE = 0.01

LEAST_PHOTOS = 2

ROUNDING = 1e-6
"""Of probabilities that were kept as float32."""


@dataclass(frozen=True)
class SuspectLabels:
    """The indices of the suspect photos, the worst first, and how many of them an honest network
    would have made; `is_alarm` where there are more than chance explains."""

    indices: Integers
    expected: float
    is_alarm: bool


def suspect_labels(predictions: Predictions) -> SuspectLabels:
    """The mistakes whose label gets almost no probability, though the predicted class gets as much
    as its own photos usually do (confident learning, Northcutt et al., 2021)."""
    from scipy.stats import poisson

    mistakes = predictions.mistakes
    usual = {
        label: float(np.mean(predictions.label_probability[predictions.label == label]))
        for label in np.unique(predictions.label[predictions.is_labeled]).tolist()
    }
    is_suspect = np.array(
        [
            predictions.label_probability[index] < UNLIKELY
            and predictions.probability[index]
            >= usual.get(int(predictions.predicted[index]), 1.0) - ROUNDING
            for index in mistakes
        ],
        bool,
    )
    indices = mistakes[is_suspect]
    expected = TAIL * max(1, len(mistakes) - len(indices))
    # So many or more, of a Poisson count.
    chance = float(poisson.sf(len(indices) - 1, expected))
    is_alarm = len(indices) >= LEAST_PHOTOS and chance < SIGNIFICANCE
    return SuspectLabels(indices, expected, is_alarm)
