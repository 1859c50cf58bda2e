from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convscope.concepts import register
from convscope.concepts.factors import Factors, Floats
from convscope.core.extras import need
from convscope.core.ranges import Seed, Steps

EPSILON = 1e-9

START = 0.2
"""Added to the memberships of k-means that the coefficients start from (Ding et al., 2010)."""


@register()
def semi_nmf(activations: Floats, count: int, *, seed: Seed = 0, steps: Steps = 200) -> Factors:
    """Groups of units for signed layers: coefficients are non-negative, directions of any sign
    (Ding, Li & Jordan, 2010).

    The start is k-means, as in the paper; directions are then scaled to length 1.

    Args:
        seed: of k-means.
        steps: how many iterations.

    Raises:
        ExtraError: scikit-learn is not installed.

    Example:
        convscope.concepts(model, photos, method="semi_nmf", count=10)
    """
    data = activations.astype(np.float64)
    kmeans = need("sklearn.cluster", "concepts").KMeans(count, n_init=1, random_state=seed)
    coefficients = np.eye(count)[kmeans.fit_predict(data)] + START
    directions = _directions(coefficients, data)
    for _ in range(steps):
        up = data @ directions.T
        gram = directions @ directions.T
        numerator = _positive(up) + coefficients @ _positive(-gram)
        denominator = _positive(-up) + coefficients @ _positive(gram)
        coefficients *= np.sqrt((numerator + EPSILON) / (denominator + EPSILON))
        directions = _directions(coefficients, data)
    lengths = np.maximum(np.linalg.norm(directions, axis=1), EPSILON)
    return Factors(
        np.asarray(coefficients * lengths, np.float32),
        np.asarray(directions / lengths[:, None], np.float32),
        np.zeros(activations.shape[1], np.float32),
    )


def _directions(
    coefficients: NDArray[np.float64], data: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The least-squares directions for given coefficients."""
    return np.linalg.pinv(coefficients) @ data


def _positive(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(matrix, 0)
