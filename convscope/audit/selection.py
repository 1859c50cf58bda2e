"""Which photos are explained, in which order, where there is no time for all of them."""

from __future__ import annotations

import numpy as np

from convscope.atlas.scan.top_k import priority
from convscope.audit.predictions import Integers, Predictions

MISTAKES_SHARE = 4
"""One in so many of the explained photos, at most, is there because it is among the worst
mistakes, unless more of them are shown."""

PER_CLASS = 24
"""Photos that a class gets before any class gets more: fewer show no groups."""


def select(predictions: Predictions, most: int, worst: int, seed: int) -> Integers:
    """The indices of at most `most` photos: the worst mistakes, at least `worst` of them, then
    `PER_CLASS` of each predicted class, beginning with the classes that mistakes are taken for,
    then all others at random.

    The draw depends on names and seed only, so that a run that was killed goes on with the same.
    """
    order: dict[int, None] = dict.fromkeys(
        predictions.mistakes[: max(worst, most // MISTAKES_SHARE)].tolist()
    )
    drawn = np.argsort([priority(name, seed) for name in predictions.names], kind="stable")
    wrong = predictions.predicted[predictions.mistakes]
    classes, counts = np.unique(predictions.predicted, return_counts=True)
    errors = {index: int((wrong == index).sum()) for index in classes.tolist()}
    sizes = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    for index in sorted(errors, key=lambda index: (-errors[index], -sizes[index], index)):
        members = drawn[predictions.predicted[drawn] == index]
        order |= dict.fromkeys(members[:PER_CLASS].tolist())
    order |= dict.fromkeys(drawn.tolist())
    return np.fromiter(order, np.int64)[:most]
