"""The concepts that speak most for each of the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.audit.concept_pass import LearnedConcepts
from convscope.audit.tables import heat_of
from convscope.audit.unit_pictures import drawn_pictures
from convscope.concepts.concept_set import ConceptSet
from convscope.core.types import JsonObject
from convscope.networks.model import Model
from convscope.results.arrays import Array

SHOWN = 2
"""Concepts of a mistake."""

LEAST_SHARE = 0.05
"""Of what the concepts say for a mistake, below which one is not shown."""


@dataclass(frozen=True)
class StrongConcept:
    """A concept of a mistake: its share of all that the concepts say for the answer and against the
    label, its picture ("" without one), its map on the mistake (h w), the number of the photo that
    it fires most on, and its map there."""

    index: int
    share: float
    picture: str
    heat: Array
    best: int
    best_heat: Array


def concept_set(learned: LearnedConcepts, layer: str, seed: int) -> ConceptSet | None:
    """The concepts as they are saved; None where there are none."""
    if not learned.concepts:
        return None
    directions = np.array([row["direction"] for row in learned.concepts], np.float32)
    return ConceptSet(directions, layer, {"verb": "audit", "seed": seed})


def strong_concepts(
    model: Model,
    layer: str,
    learned: LearnedConcepts,
    numbers: Sequence[int],
    steps: int,
    seed: int,
) -> list[list[StrongConcept]]:
    """For each of the mistakes (their photos' numbers) its strongest concepts."""
    strongest = [_strongest(learned.maps, number) for number in numbers]
    saved = concept_set(learned, layer, seed)
    drawn = sorted({row["concept"] for rows, _ in strongest for row in rows})
    pictures: dict[int, str] = {}
    if saved is not None and drawn and steps:
        objectives = [saved.objective(index) for index in drawn]
        shown = drawn_pictures(model, objectives, steps, seed)
        pictures = dict(zip(drawn, shown, strict=True))
    best = {
        index: max(
            (row for row in learned.maps if row["concept"] == index),
            key=lambda row: max(row["heat"]),
        )
        for index in drawn
    }
    return [
        [
            StrongConcept(
                row["concept"],
                row["contribution"] / total,
                pictures.get(row["concept"], ""),
                heat_of(row),
                best[row["concept"]]["number"],
                heat_of(best[row["concept"]]),
            )
            for row in rows
        ]
        for rows, total in strongest
    ]


def _strongest(maps: Sequence[JsonObject], number: int) -> tuple[list[JsonObject], float]:
    """The rows of a photo's strongest concepts, and the sum of all that speaks for its answer."""
    speaking = [row for row in maps if row["number"] == number and (row["contribution"] or 0) > 0]
    speaking.sort(key=lambda row: -row["contribution"])
    total = sum(row["contribution"] for row in speaking)
    return [row for row in speaking if row["contribution"] >= LEAST_SHARE * total][:SHOWN], total
