"""What is measured of a unit <-> its row in the table of cards."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

from convscope.atlas.scan.example_jobs import ExampleJob
from convscope.atlas.store.parts import float32
from convscope.atlas.store.rows import CardColumns
from convscope.atlas.unit_cards.effects import ClassChange, Effects
from convscope.atlas.unit_cards.label_names import LEAST_SHARE, LabelEvidence
from convscope.atlas.unit_cards.mask_names import LEAST_IOU, MaskEvidence
from convscope.atlas.unit_cards.readability import Readability
from convscope.atlas.unit_cards.tuning import TuningCurve
from convscope.core.types import Foreign
from convscope.errors import InputError

T = TypeVar("T")

RECIPE_VERSION = 2
"""Goes up when the same photos would give other cards than before."""

LEAST_CONFIDENCE = 0.95
"""Of a name; below it a unit has none."""


@dataclass(frozen=True)
class CardFacts:
    """What all rows of a run have in common."""

    model: str
    model_id: str
    photos: str
    recipe: str


@dataclass(frozen=True)
class Measurements:
    """What is measured of one unit."""

    unit: int
    highest: float
    lowest: float
    label: LabelEvidence | None
    mask: MaskEvidence | None
    effects: Effects | None
    readability: Readability | None
    tuning: list[TuningCurve]


@dataclass(frozen=True)
class UnitName:
    """What a unit is called, how sure that is (0 to 1), and by what: "labels" or "masks"."""

    text: str
    confidence: float
    source: str


def choose_name(label: LabelEvidence | None, mask: MaskEvidence | None) -> UnitName | None:
    """The name that the evidence allows, by masks first, since they say where; None where both are
    too weak."""
    if mask is not None and mask.iou >= LEAST_IOU and mask.confidence >= LEAST_CONFIDENCE:
        return UnitName(mask.label, mask.confidence, "masks")
    if label is None or label.confidence < LEAST_CONFIDENCE or label.share < LEAST_SHARE:
        return None
    return UnitName(label.label, label.confidence, "labels")


def card_row(job: ExampleJob, facts: CardFacts, measured: Measurements) -> CardColumns:
    """The row of one unit."""
    name = choose_name(measured.label, measured.mask)
    label, mask = measured.label, measured.mask
    readable, effects = measured.readability, measured.effects
    return {
        "model": facts.model,
        "model_id": facts.model_id,
        "layer": job.layer,
        "depth": job.depth,
        "unit": measured.unit,
        "name": None if name is None else name.text,
        "confidence": None if name is None else float32(name.confidence),
        "named_by": None if name is None else name.source,
        "label": None if label is None else label.label,
        "label_confidence": None if label is None else float32(label.confidence),
        "label_share": None if label is None else float32(label.share),
        "label_photos": None if label is None else label.photos,
        "object": None if mask is None else mask.label,
        "object_confidence": None if mask is None else float32(mask.confidence),
        "iou": None if mask is None else float32(mask.iou),
        "iou_low": None if mask is None else float32(mask.low),
        "iou_high": None if mask is None else float32(mask.high),
        "readability": None if readable is None else float32(readable.share),
        "readability_pairs": 0 if readable is None else readable.pairs,
        "highest": float32(measured.highest),
        "lowest": float32(measured.lowest),
        "raises": _changes_text(() if effects is None else effects.raises),
        "lowers": _changes_text(() if effects is None else effects.lowers),
        "tuning": _tuning_text(measured.tuning),
        "photos": facts.photos,
        "recipe": facts.recipe,
        "recipe_version": RECIPE_VERSION,
        "job": job.hash,
    }


def _changes_text(changes: tuple[ClassChange, ...]) -> str:
    return json.dumps([asdict(change) | {"change": float32(change.change)} for change in changes])


def _tuning_text(curves: list[TuningCurve]) -> str:
    rows = []
    for curve in curves:
        row = asdict(curve)
        row |= {"curve": [_rounded(value) for value in curve.curve]}
        row |= {"preferred": [_rounded(value) for value in curve.preferred]}
        row |= {"selectivity": _rounded(curve.selectivity), "peak": _rounded(curve.peak)}
        if curve.background is not None:
            row |= {"background": _rounded(curve.background)}
        rows.append(row)
    return json.dumps(rows)


def _rounded(value: float) -> float:
    """As many digits as are known; fewer bytes, and the same on every machine."""
    return float(f"{value:.5g}")


def read_changes(text: str) -> list[ClassChange]:
    """The classes of a row's `raises` or `lowers`.

    Raises:
        InputError: it is damaged.
    """
    return _read(
        text,
        lambda row: ClassChange(int(row["index"]), str(row["label"]), float(row["change"])),
    )


def read_tuning(row: CardColumns) -> list[TuningCurve]:
    """The tuning curves of a row.

    Raises:
        InputError: it is damaged.
    """

    def curve(row: Foreign) -> TuningCurve:
        return TuningCurve(
            str(row["kind"]),
            str(row["scale"]),
            tuple(map(str, row["points"])),
            tuple(map(float, row["curve"])),
            tuple(map(float, row["preferred"])),
            str(row["text"]),
            float(row["selectivity"]),
            float(row["peak"]),
            None if row.get("background") is None else float(row["background"]),
        )

    return _read(row["tuning"], curve)


def _read(text: str, convert: Callable[[Foreign], T]) -> list[T]:
    try:
        return [convert(row) for row in json.loads(text)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"A unit card of the atlas is damaged ({error}); run convscope atlas verify --remove,"
            " then convscope atlas cards again."
        ) from None
