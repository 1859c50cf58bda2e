"""The strongest units of the worst mistakes, each with a picture of what it responds to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.core.types import JsonObject
from convscope.errors import ConvscopeError
from convscope.networks.model import Model
from convscope.results.details import ImagesDetails
from convscope.results.pages import data_uri, picture_of
from convscope.results.pictures import to_uint8
from convscope.synthesis.objective import Objective
from convscope.verbs.visualize import visualize

UNITS = 3
"""Of a mistake."""

MOST_UNITS = 12
"""Different units that are drawn: each takes a synthesis of its own."""

SIDE = 96
"""Pixels of a unit's picture."""


@dataclass(frozen=True)
class StrongUnit:
    """A unit, its share of all that speaks for the answer and against the label, its picture (""
    without one), and the index of the explained photo that it speaks loudest on."""

    name: str
    share: float
    picture: str
    best: int


def strong_units(
    model: Model,
    layer: str,
    rows: Sequence[JsonObject],
    wrong: Sequence[int],
    steps: int,
    seed: int,
) -> list[list[StrongUnit]]:
    """For each of the rows `wrong` (indices) its strongest units."""
    if not wrong:
        return []
    contrasts = [np.array(rows[index]["contrast_contributions"]) for index in wrong]
    strongest = [np.argsort(-contrast)[:UNITS].tolist() for contrast in contrasts]
    contributions = np.array([row["contributions"] for row in rows])
    counts = Counter(unit for units in strongest for unit in units)
    drawn = [unit for unit, _ in counts.most_common(MOST_UNITS)] if steps else []
    shown = drawn_pictures(model, [f"{layer}:{unit}" for unit in drawn], steps, seed)
    pictures = dict(zip(drawn, shown, strict=True))
    return [
        [
            StrongUnit(
                f"{layer}:{unit}",
                float(contrast[unit] / max(contrast.clip(0).sum(), 1e-12)),
                pictures.get(unit, ""),
                int(contributions[:, unit].argmax()),
            )
            for unit in units
            if contrast[unit] > 0
        ]
        for contrast, units in zip(contrasts, strongest, strict=True)
    ]


def drawn_pictures(
    model: Model, units: Sequence[str | Objective], steps: int, seed: int
) -> list[str]:
    """A picture of what each unit responds to, as a data URI; "" where it has none: no gradient
    reaches the image, say. An audit goes on without it."""
    if not units:
        return []
    try:
        result = visualize(model, units, preset="quick", size=SIDE, steps=steps, seed=seed)
    except ConvscopeError:
        return [""] * len(units)
    dead = result.details_as(ImagesDetails).dead
    return [
        ""
        if place in dead
        else data_uri(picture_of(to_uint8(np.clip(image, 0, 1).transpose(1, 2, 0))), SIDE)
        for place, image in enumerate(result["image"])
    ]
