from __future__ import annotations

import numpy as np

from convscope.concepts import register
from convscope.concepts.concept_test import MIN_RANDOM_SETS, concept_activation_vector
from convscope.concepts.factors import Factors, Floats, ReadActivations
from convscope.core.ranges import Seed
from convscope.errors import OptionError


@register(labeled=True, importance="derivative")
def tcav(
    activations: Floats,
    read: ReadActivations,
    count: int,
    *,
    seed: Seed = 0,
    examples: str = "",
    random: str = "",
) -> Factors:
    """Concepts that you show: for each the direction from random photos to the concept's photos,
    and whether the class is sensitive to it (TCAV, Kim et al., 2018).

    A direction is the mean of ten concept activation vectors, each a linear classifier between the
    concept's photos and one of ten sets of random photos; it has length 1. `count` is not used. The
    table says for which share of the photos the target's score rises along the vectors (`tcav`),
    the same for random photos in place of the concept's (`tcav_random`), the p-value of the
    difference (a two-sided t-test, with Bonferroni's correction) and whether it is below 0.05
    (`is_significant`). The paper's test calls about every fifth set of random photos significant,
    since its ten scores share the concept's photos: read `tcav` beside `tcav_random`. Give photos
    of one class, or a target. Unlike the authors' code it averages activations over places first,
    so that a concept is a direction of channels wherever it is.

    Args:
        seed: of the classifiers, and of the cut of the random photos.
        examples: a folder with a folder of photos for each concept (or another source with
            labels); of one without folders all photos are one concept.
        random: a folder of other photos, at least 20.

    Raises:
        OptionError: no examples, too few of them, or too few random photos.
        ExtraError: scikit-learn is not installed.

    Example:
        convscope.concepts(
            model, zebras, method="tcav", examples="textures/", random="random/", target="zebra"
        )
    """
    concepts, random_sets = example_sets(read, examples, random, seed)
    vectors = [
        np.mean([concept_activation_vector(rows, other, seed=seed) for other in random_sets], 0)
        for rows in concepts.values()
    ]
    directions = np.stack(
        [vector / max(float(np.linalg.norm(vector)), 1e-12) for vector in vectors]
    )
    # The directions are not orthogonal: the best fit, and not the projections, adds up to what
    # they hold of an activation.
    coefficients = activations @ np.linalg.pinv(directions)
    return Factors(
        np.asarray(coefficients, np.float32),
        np.asarray(directions, np.float32),
        np.zeros(activations.shape[1], np.float32),
        tuple(concepts),
    )


def example_sets(
    read: ReadActivations, examples: str, random: str, seed: int
) -> tuple[dict[str, Floats], list[Floats]]:
    """The activations (n c) of each concept's photos, by its name, and of each set of random
    ones.

    Raises:
        OptionError: no examples, too few of them, or too few random photos.
    """
    if not examples or not random:
        raise OptionError(
            "tcav learns concepts from photos: give examples=, a folder with a folder of photos for"
            " each concept, and random=, a folder of other photos."
        )
    concepts = read(examples)
    few = next((name for name, rows in concepts.items() if len(rows) < 2), None)
    if few is not None:
        raise OptionError(f"The concept {few!r} has one photo in {examples}; give two or more.")
    others = np.concatenate(list(read(random).values()))
    size = len(others) // MIN_RANDOM_SETS
    if size < 2:
        raise OptionError(
            f"There are {len(others)} random photos in {random}; give at least"
            f" {2 * MIN_RANDOM_SETS}, which are cut into {MIN_RANDOM_SETS} sets."
        )
    order = np.random.default_rng(seed).permutation(len(others))[: size * MIN_RANDOM_SETS]
    return concepts, list(others[order].reshape(MIN_RANDOM_SETS, size, -1))
