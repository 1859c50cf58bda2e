from __future__ import annotations

import numpy as np

from convscope.concepts import register
from convscope.concepts.factors import Factors, Floats
from convscope.core.ranges import Seed


@register()
def pca(activations: Floats, count: int, *, seed: Seed = 0) -> Factors:
    """The directions along which activations vary most: principal components (Pearson, 1901).

    Directions are orthogonal and of length 1, the largest entry of each positive; coefficients are
    signed, and the offset is the mean activation.

    Args:
        seed: not used; the answer is exact.

    Example:
        convscope.concepts(model, photos, method="pca", count=3)
    """
    mean = activations.mean(0, dtype=np.float64)
    centered = activations - mean
    _, vectors = np.linalg.eigh(centered.T @ centered)
    directions = vectors[:, ::-1][:, :count].T
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    return Factors(
        np.asarray(centered @ directions.T, np.float32),
        np.asarray(directions, np.float32),
        np.asarray(mean, np.float32),
    )
