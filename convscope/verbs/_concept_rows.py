"""What a result of `concepts` says of each concept, and in a sentence of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from convscope.concepts.factors import Factors, Floats
from convscope.concepts.stability import STABLE, stability
from convscope.core.quantities import pluralize
from convscope.results.arrays import Array
from convscope.results.provenance import Row
from convscope.verbs._concept_measures import ENOUGH

MOST_DRAWN = 64
"""Concepts whose maps are drawn."""


def concept_rows(factors: Factors, coefficients: Tensor) -> list[Row]:
    """A row per concept: its share of the explained energy, the photo (of `coefficients`, n k h w)
    that it fires most on, and how much."""
    energy = (factors.coefficients**2).sum(0) * (factors.directions**2).sum(1)
    shares = energy / max(float(energy.sum()), 1e-12)
    highest = coefficients.amax((2, 3))
    best = highest.argmax(0).tolist()
    return [
        {
            "concept": index,
            "share": round(share, 4),
            "photo": best[index],
            "value": float(highest[best[index], index]),
        }
        for index, share in enumerate(shares.tolist())
    ]


def title_of(row: Row) -> str:
    """What a concept is called in a picture."""
    name = row.get("name") or f"concept {row['concept']}"
    if "tcav" not in row:
        return f"{name}: {row['share']:.0%} of the explained energy"
    doubt = "" if row["is_significant"] else ", not significant"
    return f"{name}: TCAV {row['tcav']:.2f}{doubt}"


def with_stability(rows: list[Row], runs: Sequence[Floats]) -> tuple[list[Row], Array]:
    """The rows with each concept's mean matched cosine over the other runs, and the mean of all
    pairs of runs (one number)."""
    mean, cosines = stability(runs)
    extended = [row | {"stability": float(at)} for row, at in zip(rows, cosines, strict=True)]
    return extended, np.array([mean], np.float32)


def maps_on_best_photos(rows: Sequence[Row], coefficients: Tensor) -> tuple[list[int], Tensor]:
    """The photo that each concept fires most on, and its map there (k h w), of the first of
    them."""
    best = [row["photo"] for row in rows[:MOST_DRAWN]]
    return best, torch.stack([coefficients[at, index] for index, at in enumerate(best)])


def note_on(rows: Sequence[Row], arrays: Mapping[str, Array], seeds: int) -> str:
    """What a user should know before trusting the concepts; empty where there is nothing."""
    sentences = []
    silent = sum(row["value"] <= 0 for row in rows)
    if silent:
        verb = "fires" if silent == 1 else "fire"
        sentences.append(
            f"{silent} of {pluralize(len(rows), 'concept')} never {verb} on the photos."
        )
    if "curve" in arrays:
        kept = float(arrays["kept"][0])
        verb = "keeps" if len(rows) == 1 else "keep"
        enough = "" if kept >= ENOUGH else f", fewer than {ENOUGH:.0%}, and more do not fit"
        sentences.append(
            f"{pluralize(len(rows), 'concept')} {verb} {kept:.0%} of the top predictions{enough}."
        )
    if "stability" in arrays and arrays["stability"][0] < STABLE:
        sentences.append(
            f"These concepts are unstable: over {seeds} seeds the mean matched cosine is"
            f" {arrays['stability'][0]:.2f}, below {STABLE:g}. Take fewer concepts, more photos, or"
            " another method."
        )
    doubtful = [row["name"] or "The concept" for row in rows if not row.get("is_significant", True)]
    if doubtful:
        verb, whom = ("is", "it") if len(doubtful) == 1 else ("are", "them")
        sentences.append(
            f"{', '.join(doubtful)} {verb} not significant: the classes are no more sensitive to"
            f" {whom} than to random photos."
        )
    if len(rows) > MOST_DRAWN:
        sentences.append(f"The picture shows the first {MOST_DRAWN} concepts.")
    return " ".join(sentences)
