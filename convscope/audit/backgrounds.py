"""Classes that their background gives away, by what the network says without the object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.audit.measures import accuracy
from convscope.core.types import JsonObject

LEAST_PHOTOS = 5
"""Right answers with a mask that a class needs."""

LEAST_SHARE = 0.5
"""Share of answers that stay without the object, from which on a class may be one that its
background tells."""

LEAST_DIFFERENCE = 0.2
"""By so much, at the lower end of the interval, it must be above the share of other classes' photos
that get the same answer without their object (the median over the classes): every network says
something where there is no object."""


@dataclass(frozen=True)
class BackgroundMeasure:
    """A class: right answers with a mask, the share of heat on the object (and of the photo that
    the object takes), the share of answers that stay without the object, the share of other
    classes' photos that get this class then (the median class), and the share that stays without
    the background."""

    index: int
    photos: int
    heat_on_object: float
    object_area: float
    without_object: float
    others_without_object: float
    without_background: float
    is_told_by_background: bool


def background_measures(rows: Sequence[JsonObject]) -> list[BackgroundMeasure]:
    """Every class with enough masks, the one most told by its background first."""
    right = [
        row
        for row in rows
        if row["without_object"] is not None and row["predicted_index"] == row["label_index"]
    ]
    labels = np.array([row["label_index"] for row in right], np.int64)
    answers = np.array([row["without_object"] for row in right], np.int64)
    kept = np.array([row["without_background"] for row in right], np.int64)
    heat = np.array(
        [np.nan if row["heat_on_object"] is None else row["heat_on_object"] for row in right]
    )
    area = np.array([row["object_area"] for row in right])
    measures = []
    for index in np.unique(labels).tolist():
        inside = labels == index
        if inside.sum() < LEAST_PHOTOS or not (~inside).any():
            continue
        stays = answers[inside] == index
        others = float(
            np.median(
                [(answers[labels == other] == index).mean() for other in np.unique(labels[~inside])]
            )
        )
        is_told = (
            bool(stays.mean() >= LEAST_SHARE) and accuracy(stays).low - others >= LEAST_DIFFERENCE
        )
        measures.append(
            BackgroundMeasure(
                index,
                int(inside.sum()),
                float(np.nanmean(heat[inside])) if not np.isnan(heat[inside]).all() else 0.0,
                float(area[inside].mean()),
                float(stays.mean()),
                others,
                float((kept[inside] == index).mean()),
                is_told,
            )
        )
    return sorted(
        measures, key=lambda measure: measure.others_without_object - measure.without_object
    )
