"""Whether concepts come out alike from other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from convscope.concepts.factors import Floats

STABLE = 0.9
"""Mean matched cosine from which on concepts count as stable."""


def matched_cosines(first: Floats, second: Floats) -> Floats:
    """The cosine of each of the first directions (k c) with its partner among the second, under the
    one-to-one matching that makes their sum largest (Kuhn, 1955)."""
    cosines = _unit(first) @ _unit(second).T
    rows, columns = linear_sum_assignment(-cosines)
    matched = np.zeros(len(first), np.float32)
    matched[rows] = cosines[rows, columns]
    return matched


def stability(runs: Sequence[Floats]) -> tuple[float, Floats]:
    """The mean matched cosine over all pairs of runs (k c each), and for each direction of the
    first run its mean over the other runs (k)."""
    pairs = [float(matched_cosines(*pair).mean()) for pair in combinations(runs, 2)]
    of_first = np.mean([matched_cosines(runs[0], other) for other in runs[1:]], 0)
    return float(np.mean(pairs)), np.asarray(of_first, np.float32)


def _unit(directions: Floats) -> Floats:
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions / np.maximum(lengths, 1e-12), np.float32)
