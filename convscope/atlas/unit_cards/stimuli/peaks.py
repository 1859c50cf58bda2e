"""Where a tuning curve is highest, between its points."""

from __future__ import annotations

import numpy as np

from convscope.atlas.unit_cards.stimuli.stimulus_kind import Floats


def peak(places: Floats, curve: Floats, period: float | None = None) -> float:
    """The place of a curve's peak: the vertex of the parabola through the logarithms of the highest
    point and its two neighbors, which is exact for a bell-shaped curve. With a `period` the first
    point follows the last. At the end of a curve, and beside a response of zero, the parabola
    falls back to the point itself or to the responses as they are."""
    last, best = len(curve) - 1, int(np.argmax(curve))
    if period is None and best in (0, last):
        return float(places[best])
    near = [(best - 1) % len(curve), best, (best + 1) % len(curve)]
    heights = curve[near]
    if (heights > 0).all():
        heights = np.log(heights)
    left, middle, right = places[near]
    if period is not None:
        left = middle - (middle - left) % period
        right = middle + (right - middle) % period
    vertex = _vertex((left, middle, right), heights)
    vertex = float(np.clip(vertex, left, right))
    return vertex if period is None else vertex % period


def _vertex(places: tuple[float, float, float], heights: Floats) -> float:
    """Of the parabola through three points, the middle one the highest."""
    before, after = places[0] - places[1], places[2] - places[1]
    rise, fall = heights[0] - heights[1], heights[2] - heights[1]
    curvature = rise * after - fall * before
    if curvature == 0:
        return places[1]
    return float(places[1] + (rise * after**2 - fall * before**2) / (2 * curvature))
