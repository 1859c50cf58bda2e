"""What an audit concludes: everything that the page, the tables and the result show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convscope.audit.backgrounds import BackgroundMeasure, background_measures
from convscope.audit.class_names import class_name
from convscope.audit.concept_pass import LearnedConcepts
from convscope.audit.explainer import ExplainedPhoto
from convscope.audit.measures import (
    Bin,
    ClassMeasure,
    Confusion,
    Interval,
    accuracy,
    calibration_error,
    class_measures,
    confusions,
)
from convscope.audit.place_test import PlaceTest
from convscope.audit.predictions import Predictions
from convscope.audit.reasons import Group, find_groups
from convscope.audit.suspect_labels import SuspectLabels, suspect_labels
from convscope.audit.tables import heat_of
from convscope.core.types import JsonObject
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.results.details import Finding

LEAST_CLASSES = 10
"""With fewer, a label is among the first five of them more often than not by chance."""

MOST_TESTED = 8
"""Groups whose place is taken away."""


@dataclass(frozen=True)
class NamedGroup:
    """A group under the name that the table gives it, which no other group has."""

    name: str
    group: Group

    @property
    def is_odd(self) -> bool:
        """Whether the place that its photos share is the reason of their answers."""
        return self.group.is_reason


@dataclass(frozen=True)
class Conclusions:
    """What was measured, section by section; `explained` are the photos that `rows` explain."""

    top_1: Interval
    top_5: Interval | None
    calibration: Interval
    bins: list[Bin]
    classes: list[ClassMeasure]
    confusions: list[Confusion]
    suspects: SuspectLabels
    groups: list[NamedGroup]
    backgrounds: list[BackgroundMeasure]
    explained: list[ExplainedPhoto]
    rows: list[JsonObject]
    concepts: LearnedConcepts

    def group_of(self) -> dict[int, str]:
        """The number of each grouped photo -> the name of its group."""
        return {
            self.explained[member].number: named.name
            for named in self.groups
            for member in named.group.members.tolist()
        }


def conclude(
    model: Model,
    source: PhotoSource,
    predictions: Predictions,
    explained: list[ExplainedPhoto],
    rows: list[JsonObject],
    concepts: LearnedConcepts,
    seed: int,
) -> Conclusions:
    """Draw the conclusions from both passes; `rows` explain the photos `explained`."""
    labeled = predictions.is_labeled
    right = predictions.is_correct[labeled]
    calibration, bins = calibration_error(predictions.probability[labeled], right, seed)
    in_five = (predictions.rank < 5)[labeled] if model.classes >= LEAST_CLASSES else None
    return Conclusions(
        accuracy(right),
        None if in_five is None else accuracy(in_five),
        calibration,
        bins,
        class_measures(predictions),
        confusions(predictions),
        suspect_labels(predictions),
        _named_groups(model, source, explained, rows, seed),
        background_measures(rows),
        explained,
        rows,
        concepts,
    )


def findings(model: Model, predictions: Predictions, conclusions: Conclusions) -> list[Finding]:
    """What stands out: labels, reasons, backgrounds."""
    listed = []
    suspects = conclusions.suspects
    if suspects.is_alarm:
        names = ", ".join(predictions.names[index] for index in suspects.indices[:5])
        listed.append(
            Finding(
                "label",
                f"{len(suspects.indices)} photos",
                float(len(suspects.indices)),
                f"{len(suspects.indices)} photos get almost no probability for their label, where"
                f" about {suspects.expected:.0f} would be expected of the network's mistakes; check"
                f" their labels: {names}.",
            )
        )
    for named in conclusions.groups:
        if named.is_odd:
            group, label = named.group, class_name(model, named.group.predicted)
            listed.append(
                Finding(
                    "reason",
                    named.name,
                    group.oddness,
                    f"{len(group.members)} photos are called {label} for the same place, which"
                    f" other photos do not look at; without it {group.changed or 0:.0%} of the"
                    f" answers change{_put(group)}.",
                )
            )
    for measure in conclusions.backgrounds:
        if measure.is_told_by_background:
            name = class_name(model, measure.index)
            listed.append(
                Finding(
                    "background",
                    name,
                    measure.without_object - measure.others_without_object,
                    f"{name} is told by its background: {measure.without_object:.0%} of its right"
                    f" answers stay when the object is taken away"
                    f" ({measure.others_without_object:.0%} of other photos are called so then).",
                )
            )
    return listed


def _put(group: Group) -> str:
    """What the place does in other photos, where that was measured."""
    if group.gain is None:
        return ""
    return (
        f", and put into other photos it raises the probability of this answer by"
        f" {group.gain:.2f} (the same place of photos that are not of the group:"
        f" {group.gain_elsewhere or 0:.2f})"
    )


def _named_groups(
    model: Model,
    source: PhotoSource,
    photos: Sequence[ExplainedPhoto],
    rows: Sequence[JsonObject],
    seed: int,
) -> list[NamedGroup]:
    """The groups, the odd ones first; the places of the oddest are taken away as a test."""
    if not rows:
        return []
    heat, fine = (
        np.stack([heat_of(row, name) for row in rows]).astype(np.float64)
        for name in ("heat", "fine_heat")
    )
    objects = np.array([row["object"] or np.zeros(fine[0].size) for row in rows])
    predicted = [row["predicted_index"] for row in rows]
    groups = find_groups(heat, predicted, seed, objects.reshape(fine.shape), fine)
    test, tested = PlaceTest(model, source, photos), 0
    named: list[NamedGroup] = []
    numbers: dict[int, int] = {}
    for group in groups:
        if group.is_candidate and tested < MOST_TESTED:
            tested += 1
            group = test(group, seed)
        number = numbers[group.predicted] = numbers.get(group.predicted, 0) + 1
        named.append(NamedGroup(f"{class_name(model, group.predicted)} {number}", group))
    return sorted(named, key=lambda entry: not entry.is_odd)
