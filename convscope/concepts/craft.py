from __future__ import annotations

import numpy as np

from convscope.concepts import register
from convscope.concepts.crops import CROP
from convscope.concepts.factors import CropActivations, Factors, Floats
from convscope.concepts.nmf import nmf
from convscope.core.extras import need
from convscope.core.quiet import without_warnings
from convscope.core.ranges import Fraction, Seed, Steps


@register(clips=True, crops=True)
def craft(
    activations: Floats,
    crops: CropActivations,
    count: int,
    *,
    seed: Seed = 0,
    steps: Steps = 400,
    crop: Fraction = CROP,
) -> Factors:
    """What crops of the photos have in common: non-negative matrix factorization of their pooled
    activations; importance is the total Sobol index (CRAFT, Fel et al., 2023).

    Directions come from the crops; the coefficients of each place of the photos are their
    non-negative least-squares fit. Give photos of one class, as the paper does. Its recursion into
    earlier layers is left to another call with `layer`.

    Args:
        seed: of the start.
        steps: at most so many iterations.
        crop: side of a crop, as a share of the network's input; neighbors overlap by a fifth.

    Raises:
        ExtraError: scikit-learn is not installed.
        OptionError: more concepts than crops.

    Example:
        convscope.concepts(model, cats, method="craft", count=10, importance=True)
    """
    directions = nmf(crops(crop, count), count, seed=seed, steps=steps).directions
    factorization = need("sklearn.decomposition", "concepts").non_negative_factorization
    with without_warnings:
        coefficients, _, _ = factorization(
            np.maximum(activations, 0),
            H=directions,
            n_components=count,
            init="custom",
            update_H=False,
            max_iter=steps,
        )
    return Factors(
        np.asarray(coefficients, np.float32),
        directions,
        np.zeros(activations.shape[1], np.float32),
    )
