"""Whether the photos' classes are sensitive to concepts that were learned from examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convscope.concepts.concept_test import tcav_test
from convscope.concepts.tcav import example_sets
from convscope.core.progress import track
from convscope.questions.target import Target
from convscope.results.arrays import to_numpy
from convscope.results.provenance import Row
from convscope.verbs._concept_layer import ConceptLayer
from convscope.verbs._concept_measures import summed_gradient


def concept_tests(layer: ConceptLayer, asked: Target, seed: int) -> list[Row]:
    """For each concept of `tcav` its name, its TCAV score, that of random photos, the p-value of
    the difference, and whether it is significant."""
    options: Mapping[str, object] = layer.options
    concepts, random_sets = example_sets(
        layer.example_activations,
        str(options.get("examples", "")),
        str(options.get("random", "")),
        seed,
    )
    photos = len(layer.maps)
    gradients = []
    for at in track(range(photos), "gradients", photos):
        partial = layer.partial(at)
        target = asked.at(at).resolved(partial.output)
        gradients.append(to_numpy(summed_gradient(partial, target)))
    rows: list[Row] = []
    for name, examples in concepts.items():
        test = tcav_test(
            np.stack(gradients), examples, random_sets, concepts_tested=len(concepts), seed=seed
        )
        rows.append(
            {
                "name": name,
                "examples": len(examples),
                "tcav": float(test.scores.mean()),
                "tcav_random": float(test.random_scores.mean()),
                "p_value": test.p_value,
                "is_significant": test.is_significant,
            }
        )
    return rows
