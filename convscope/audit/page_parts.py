"""The sections of the page, as plain values for its template."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convscope.audit.class_names import class_name
from convscope.audit.concept_evidence import StrongConcept
from convscope.audit.conclusions import Conclusions, NamedGroup
from convscope.audit.measures import ClassMeasure, Confusion
from convscope.audit.predictions import Predictions
from convscope.audit.tables import CONCEPTS, heat_of
from convscope.audit.thumbnails import Thumbnail, Thumbnails
from convscope.audit.unit_pictures import StrongUnit
from convscope.networks.command_words import model_words
from convscope.networks.concept_file import PREFIX
from convscope.networks.model import Model
from convscope.results.arrays import Array

CLASSES, CONFUSIONS, GROUPS, PHOTOS = 20, 8, 12, 6
"""Rows of the tables of classes and confusions, groups beside the odd ones, and photos of each."""


@dataclass(frozen=True)
class UnitCard:
    """A unit, and the photo it speaks loudest on."""

    unit: StrongUnit
    best: Thumbnail


@dataclass(frozen=True)
class ConceptCard:
    """A concept, where it is on the mistake, and the photo that it fires most on; and the command
    of its picture."""

    concept: StrongConcept
    here: Thumbnail
    best: Thumbnail
    command: str


@dataclass(frozen=True)
class MistakeCard:
    """A mistake with its evidence."""

    photo: Thumbnail
    heat: Thumbnail
    label: str
    predicted: str
    probability: float
    label_probability: float
    is_suspect: bool
    group: str | None
    units: list[UnitCard]
    concepts: list[ConceptCard]


@dataclass(frozen=True)
class ConfusionCard:
    """A pair of classes, with photos."""

    label: str
    predicted: str
    photos: int
    share: float
    thumbnails: list[Thumbnail]


@dataclass(frozen=True)
class GroupCard:
    """A group of photos, with the heat of some of them."""

    name: str
    label: str
    count: int
    correct: int
    same_place: float
    elsewhere: float
    changed: float | None
    gain: float | None
    gain_elsewhere: float | None
    is_odd: bool
    thumbnails: list[Thumbnail]


@dataclass(frozen=True)
class BarCard:
    """One bar of the reliability diagram, in percent of its frame."""

    x: float
    width: float
    height: float
    title: str


def mistake_cards(
    model: Model,
    predictions: Predictions,
    conclusions: Conclusions,
    thumbnails: Thumbnails,
    wrong: Sequence[int],
    units: Sequence[Sequence[StrongUnit]],
    concepts: Sequence[list[ConceptCard]],
) -> list[MistakeCard]:
    """The worst mistakes: `wrong` are their indices among the explained photos."""
    index_of = {int(number): index for index, number in enumerate(predictions.number)}
    suspects = conclusions.suspects
    shown_suspects = set(suspects.indices.tolist()) if suspects.is_alarm else set()
    groups = conclusions.group_of()
    cards = []
    for at, strongest, cards_of_concepts in zip(wrong, units, concepts, strict=True):
        photo, row = conclusions.explained[at], conclusions.rows[at]
        index = index_of[photo.number]
        cards.append(
            MistakeCard(
                thumbnails.plain(photo),
                thumbnails.with_heat(photo, heat_of(row, "contrast")),
                class_name(model, photo.label),
                class_name(model, photo.predicted),
                float(predictions.probability[index]),
                float(predictions.label_probability[index]),
                index in shown_suspects,
                groups.get(photo.number),
                [
                    UnitCard(unit, thumbnails.plain(conclusions.explained[unit.best]))
                    for unit in strongest
                ],
                cards_of_concepts,
            )
        )
    return cards


def concept_cards(
    model: Model,
    conclusions: Conclusions,
    thumbnails: Thumbnails,
    wrong: Sequence[int],
    concepts: Sequence[Sequence[StrongConcept]],
    folder: str,
) -> list[list[ConceptCard]]:
    """The concepts of each of the worst mistakes `wrong` (their indices among the explained)."""
    photo_of = {photo.number: photo for photo in conclusions.explained}
    name = f"{PREFIX}{Path(folder).as_posix()}/{CONCEPTS.name}"
    return [
        [
            ConceptCard(
                concept,
                thumbnails.with_heat(conclusions.explained[at], concept.heat),
                thumbnails.with_heat(photo_of[concept.best], concept.best_heat),
                shlex.join(
                    ["convscope", "visualize", f"{name}/{concept.index}", *model_words(model)]
                ),
            )
            for concept in strongest
        ]
        for at, strongest in zip(wrong, concepts, strict=True)
    ]


def confusion_cards(
    model: Model, conclusions: Conclusions, thumbnails: Thumbnails
) -> list[ConfusionCard]:
    """The most frequent confusions."""
    photos_of = {measure.index: measure.photos for measure in conclusions.classes}
    return [
        ConfusionCard(
            class_name(model, pair.label),
            class_name(model, pair.predicted),
            pair.photos,
            pair.photos / photos_of[pair.label],
            _of_pair(conclusions, thumbnails, pair),
        )
        for pair in conclusions.confusions[:CONFUSIONS]
    ]


def _of_pair(conclusions: Conclusions, thumbnails: Thumbnails, pair: Confusion) -> list[Thumbnail]:
    chosen = [
        photo
        for photo in conclusions.explained
        if (photo.label, photo.predicted) == (pair.label, pair.predicted)
    ]
    return [thumbnails.plain(photo) for photo in chosen[: PHOTOS // 2]]


def group_cards(model: Model, conclusions: Conclusions, thumbnails: Thumbnails) -> list[GroupCard]:
    """The odd groups, and after them some of the others."""
    odd = [named for named in conclusions.groups if named.is_odd]
    others = [named for named in conclusions.groups if not named.is_odd]
    return [_group_card(model, conclusions, thumbnails, named) for named in odd + others[:GROUPS]]


def _group_card(
    model: Model, conclusions: Conclusions, thumbnails: Thumbnails, named: NamedGroup
) -> GroupCard:
    group = named.group
    photos = [conclusions.explained[member] for member in group.members.tolist()]
    rows = [conclusions.rows[member] for member in group.members.tolist()]
    heat: list[Array] = [heat_of(row, "fine_heat" if group.is_placed else "heat") for row in rows]
    return GroupCard(
        named.name,
        class_name(model, group.predicted),
        len(photos),
        sum(photo.label == photo.predicted for photo in photos),
        group.same_place,
        group.elsewhere,
        group.changed,
        group.gain,
        group.gain_elsewhere,
        named.is_odd,
        [
            thumbnails.with_heat(photo, single)
            for photo, single in list(zip(photos, heat, strict=True))[:PHOTOS]
        ],
    )


def class_rows(model: Model, measures: Sequence[ClassMeasure]) -> list[dict[str, object]]:
    """The least accurate classes."""
    return [
        {
            "label": class_name(model, measure.index),
            "photos": measure.photos,
            "recall": measure.recall,
            "answers": measure.answers,
            "precision": measure.precision,
        }
        for measure in measures[:CLASSES]
    ]


def reliability_bars(conclusions: Conclusions) -> list[BarCard]:
    """The bars of the reliability diagram."""
    return [
        BarCard(
            100 * entry.low,
            100 * (entry.high - entry.low),
            100 * entry.accuracy,
            f"{entry.photos} answers of about {entry.probability:.0%}: {entry.accuracy:.0%} right",
        )
        for entry in conclusions.bins
        if entry.photos
    ]
