"""The page of an audit: one file with everything inlined."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from convscope.audit.class_names import class_name
from convscope.audit.concept_evidence import strong_concepts
from convscope.audit.conclusions import Conclusions
from convscope.audit.page_parts import (
    class_rows,
    concept_cards,
    confusion_cards,
    group_cards,
    mistake_cards,
    reliability_bars,
)
from convscope.audit.passes import KeptRows
from convscope.audit.predictions import Predictions
from convscope.audit.thumbnails import Thumbnails
from convscope.audit.unit_pictures import strong_units
from convscope.networks.command_words import model_words
from convscope.networks.model import Model
from convscope.results.details import Finding
from convscope.results.pages import render_page
from convscope.results.provenance import Provenance

TEMPLATE = Path(__file__).with_name("audit.html")


@dataclass(frozen=True)
class NextStep:
    """Something to do, and the command for it ("" where there is none)."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class PageRequest:
    """What the page is about, beside what was measured: where the photos are, the layer, how many
    mistakes are shown, the steps of a unit's picture, the command, whether there are masks, the
    folder of rows, the seed, and what a run that was stopped had finished."""

    source: str
    layer: str
    worst: int
    unit_steps: int
    command: str
    has_masks: bool
    folder: str
    seed: int
    kept: KeptRows


def page_of(
    model: Model,
    predictions: Predictions,
    conclusions: Conclusions,
    listed: list[Finding],
    thumbnails: Thumbnails,
    request: PageRequest,
    provenance: Provenance,
) -> bytes:
    """The page in UTF-8."""
    at = {photo.number: index for index, photo in enumerate(conclusions.explained)}
    numbers = predictions.number[predictions.mistakes[: request.worst]].tolist()
    wrong = [at[number] for number in numbers if number in at]
    units = strong_units(
        model, request.layer, conclusions.rows, wrong, request.unit_steps, request.seed
    )
    concepts = strong_concepts(
        model,
        request.layer,
        conclusions.concepts,
        [conclusions.explained[index].number for index in wrong],
        request.unit_steps,
        request.seed,
    )
    cards = concept_cards(model, conclusions, thumbnails, wrong, concepts, request.folder)
    mistakes = mistake_cards(model, predictions, conclusions, thumbnails, wrong, units, cards)
    groups = group_cards(model, conclusions, thumbnails)
    values: dict[str, object] = {
        "title": f"What {model.name} gets wrong",
        "photos": len(predictions) + len(predictions.skipped),
        "source": request.source,
        "skipped": predictions.skipped,
        "unlabeled": int((~predictions.is_labeled).sum()),
        "explained": len(conclusions.rows),
        "findings": listed,
        "top_1": conclusions.top_1,
        "top_5": conclusions.top_5,
        "calibration": conclusions.calibration,
        "classes": class_rows(model, conclusions.classes),
        "num_classes": len(conclusions.classes),
        "bars": reliability_bars(conclusions),
        "confusions": confusion_cards(model, conclusions, thumbnails),
        "layer": request.layer,
        "mistakes": mistakes,
        "no_concepts": conclusions.concepts.reason if mistakes else None,
        "groups": groups,
        "backgrounds": _backgrounds(model, conclusions),
        "has_masks": request.has_masks,
        "next_steps": _next_steps(model, predictions, conclusions, listed, request),
        "command": request.command,
        "folder": request.folder,
        "kept": request.kept,
        "provenance": provenance,
    }
    return render_page(TEMPLATE, values)


def _backgrounds(model: Model, conclusions: Conclusions) -> list[dict[str, object]]:
    return [
        {
            "label": class_name(model, measure.index),
            "photos": measure.photos,
            "heat": measure.heat_on_object,
            "area": measure.object_area,
            "stays": measure.without_object,
            "others": measure.others_without_object,
            "kept": measure.without_background,
            "alarm": measure.is_told_by_background,
        }
        for measure in conclusions.backgrounds
    ]


def _next_steps(
    model: Model,
    predictions: Predictions,
    conclusions: Conclusions,
    listed: list[Finding],
    request: PageRequest,
) -> list[NextStep]:
    """What follows from the findings, then from the largest confusion and the least accurate
    class."""
    advice = {
        "label": "Look at the labels of these photos by eye, and audit again with the right ones.",
        "reason": "Cover that place in the class's training photos, or give it to all classes.",
        "background": "Train on photos of this class before other backgrounds.",
    }
    steps = [NextStep(f"{finding.subject}: {advice[finding.kind]}") for finding in listed]
    if conclusions.confusions:
        pair = conclusions.confusions[0]
        label, predicted = (class_name(model, index) for index in (pair.label, pair.predicted))
        target = f"{pair.predicted} vs {pair.label}"
        words = ["convscope", "class-image", target, *model_words(model)]
        steps.append(
            NextStep(
                f"{label} is taken for {predicted} most often; see what tells them apart for the"
                " network:",
                shlex.join(words),
            )
        )
    worst = conclusions.classes[0]
    if worst.recall.value < 1:
        steps.append(
            NextStep(
                f"{class_name(model, worst.index)} is the least accurate class"
                f" ({worst.recall.value:.0%} of {worst.photos} photos); more photos of it may help"
                " most."
            )
        )
    left = len(predictions) - len(conclusions.rows)
    if left:
        steps.append(
            NextStep(
                f"{left:,} photos are not explained; a larger --max-explained, or more"
                " --max-seconds, explains more of them."
            )
        )
    if not request.has_masks:
        steps.append(
            NextStep(
                "Masks of the objects (--masks) show which classes are told by their background."
            )
        )
    return steps
