"""Intervals of means over photos, by a bootstrap (Efron, 1979)."""

from __future__ import annotations

import numpy as np

from convscope.concepts.factors import Floats

RESAMPLES = 1000
"""The ends of a 95 % interval are then known to about a tenth of its width."""

LEVEL = 0.95


def mean_interval(values: Floats, seed: int) -> tuple[Floats, Floats]:
    """The ends (k both) of the mean's 95 % interval, from values (n k) of n photos."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    weight = np.stack([np.bincount(row, minlength=len(values)) for row in drawn]) / len(values)
    low, high = np.quantile(weight @ values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return np.asarray(low, np.float32), np.asarray(high, np.float32)
