from __future__ import annotations

import numpy as np

from convscope.concepts import register
from convscope.concepts.factors import Factors, Floats
from convscope.core.extras import need
from convscope.core.quiet import without_warnings
from convscope.core.ranges import Seed, Steps

BATCHED_ROWS = 50_000
"""Rows from which on scikit-learn's mini-batch form is taken, whose memory does not grow."""


@register(clips=True)
def nmf(activations: Floats, count: int, *, seed: Seed = 0, steps: Steps = 400) -> Factors:
    """Groups of units that fire together: non-negative matrix factorization (Lee & Seung, 1999; on
    activations, Olah et al., 2018).

    Negative activations count as zero. The start is a singular value decomposition, so that the
    seed matters little; above 50,000 rows it is scikit-learn's mini-batch form.

    Args:
        seed: of the start, and of the mini-batches.
        steps: at most so many iterations.

    Raises:
        ExtraError: scikit-learn is not installed.

    Example:
        convscope.concepts(model, photos, method="nmf", count=10)
    """
    decomposition = need("sklearn.decomposition", "concepts")
    positive = np.maximum(activations, 0)
    options = {"n_components": count, "init": "nndsvda", "random_state": seed, "max_iter": steps}
    kind = decomposition.MiniBatchNMF if len(positive) > BATCHED_ROWS else decomposition.NMF
    model = kind(**options)
    # that the last digits have not converged
    with without_warnings:
        coefficients = model.fit_transform(positive)
    directions = np.asarray(model.components_, np.float32)
    # W and H are only known up to a factor: directions have length 1, so that coefficients compare.
    lengths = np.linalg.norm(directions, axis=1)
    scale = np.where(lengths > 0, lengths, 1)
    return Factors(
        np.asarray(coefficients * scale, np.float32),
        np.asarray(directions / scale[:, None], np.float32),
        np.zeros(positive.shape[1], np.float32),
    )
