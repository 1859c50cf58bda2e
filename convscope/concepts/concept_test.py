"""Whether a class is sensitive to a concept (Kim et al., 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_ind_from_stats

from convscope.concepts.factors import Floats
from convscope.core.extras import need
from convscope.errors import OptionError

MIN_RANDOM_SETS = 10
"""Random counterparts below which nothing is said about significance."""


@dataclass(frozen=True)
class ConceptTest:
    """How a concept fares against several sets of random photos: its TCAV scores, those of random
    sets against each other, the two-sided p-value, corrected for the number of concepts tested, and
    whether that is below 0.05."""

    scores: NDArray[np.float64]
    random_scores: NDArray[np.float64]
    p_value: float
    is_significant: bool


def concept_activation_vector(concept: Floats, random: Floats, *, seed: int = 0) -> Floats:
    """The unit normal (c) of the plane that parts the concept's activations (n c) from random ones,
    pointing to the concept: a linear classifier trained by stochastic gradient descent, as in the
    authors' code.

    Raises:
        OptionError: fewer than two photos on a side.
        ExtraError: scikit-learn is not installed.
    """
    if min(len(concept), len(random)) < 2:
        raise OptionError("A concept needs two photos or more on either side.")
    classifier = need("sklearn.linear_model", "concepts").SGDClassifier(
        alpha=0.01, max_iter=1000, tol=1e-3, random_state=seed
    )
    data = np.concatenate([concept, random]).reshape(len(concept) + len(random), -1)
    classifier.fit(data, [1] * len(concept) + [0] * len(random))
    vector = np.asarray(classifier.coef_[0], np.float32)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)


def tcav_score(gradients: Floats, vector: Floats) -> float:
    """The TCAV score, 0 to 1: the share of photos whose class score rises along the vector;
    `gradients` (n c) are those of the score at the layer, of photos of the class."""
    return float((gradients.reshape(len(gradients), -1) @ vector > 0).mean())


def tcav_test(
    gradients: Floats,
    concept: Floats,
    random_sets: list[Floats],
    *,
    concepts_tested: int = 1,
    seed: int = 0,
) -> ConceptTest:
    """Whether a class is sensitive to a concept: TCAV scores against each random set, compared with
    those of random sets against each other by a two-sided t-test with Bonferroni's correction.

    That is the paper's test, and it is liberal: it counts a concept's scores as independent, while
    they share the concept's photos. Of concepts that are themselves random photos it calls 17 to
    25 % significant at the nominal 5 %, and 1 to 3 % at p < 0.001 (20 photos of 16 channels, ten
    random sets, 100 trials). A test that takes each set as one observation keeps the 5 %, and
    misses concepts that are there where scores are near 0 or 1, as those of a linear network are.

    Raises:
        OptionError: fewer than ten random sets.
    """
    if len(random_sets) < MIN_RANDOM_SETS:
        raise OptionError(
            f"A concept is tested against {MIN_RANDOM_SETS} random sets or more;"
            f" {len(random_sets)} were given."
        )
    scores = np.array(
        [
            tcav_score(gradients, concept_activation_vector(concept, other, seed=seed))
            for other in random_sets
        ]
    )
    pairs = zip(random_sets, [*random_sets[1:], random_sets[0]], strict=True)
    random_scores = np.array(
        [
            tcav_score(gradients, concept_activation_vector(first, second, seed=seed))
            for first, second in pairs
        ]
    )
    if scores.std() == random_scores.std() == 0:
        p_value = 1.0 if scores[0] == random_scores[0] else 0.0
    else:
        # From the moments, since SciPy warns about samples in which all scores are the same.
        sides = [(side.mean(), side.std(ddof=1), len(side)) for side in (scores, random_scores)]
        p_value = float(ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue)
    p_value = min(1.0, p_value * concepts_tested)
    return ConceptTest(scores, random_scores, p_value, p_value < 0.05)
