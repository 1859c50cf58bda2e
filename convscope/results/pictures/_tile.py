"""One channel's map as one tile of an activation grid."""

from __future__ import annotations

import numpy as np

from convscope.results.pictures.colors import Map, Pixels, check_finite, to_uint8

GAIN, CENTER = 64.0, 128.0
"""Levels per standard deviation, and the level of the mean (Chollet, Deep Learning with Python,
5.4.1)."""

RELATIVE_NOISE = 1e-6
"""A map that varies by less than this share of its largest value varies by rounding only (float32
has 1.2e-7)."""


def is_blank(values: Map) -> bool:
    """Whether a map says nothing about the photo: the same value everywhere."""
    return float(np.ptp(values)) <= RELATIVE_NOISE * float(np.abs(values).max())


def activation_tile(values: Map, gain: float = GAIN) -> Pixels:
    """A map (`h w`) as levels 0 to 255: (x - mean) / standard deviation * gain + 128, clipped; all
    0 where it is blank.

    Raises:
        NumericError: NaN or infinity.
    """
    check_finite(values, "activation")
    values = values.astype(np.float64)
    if is_blank(values):
        return np.zeros(values.shape, np.uint8)
    return to_uint8(((values - values.mean()) / values.std() * gain + CENTER) / 255)
