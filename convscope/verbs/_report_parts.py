"""What the report page shows, section by section: numbers, and pictures as data URIs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convscope.errors import ComputeError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import Array, Pixels
from convscope.results.details import (
    AttributionDetails,
    DetectionsDetails,
    ImagesDetails,
    SegmentationDetails,
)
from convscope.results.pages import PHOTO_SIDE, data_uri, picture_of
from convscope.results.pictures import overlay_heat, scale_heat, to_rgb, to_uint8
from convscope.results.pictures.fooling import AMPLIFIED, answer_text
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._report_questions import Statement, goal, statements
from convscope.verbs._small_pictures import PICTURE_SIDE, small_pictures
from convscope.verbs._verb import PhotoLike
from convscope.verbs.activations import activations, post_activation
from convscope.verbs.class_image import class_image
from convscope.verbs.dream import dream
from convscope.verbs.explain import explain
from convscope.verbs.fool import fool
from convscope.verbs.invert import invert
from convscope.verbs.predict import predict
from convscope.verbs.visualize import visualize

GRID_SIDE = 2000
"""Longest side of a grid of activations."""

UNITS, CHANNELS, DEPTHS = 4, 64, 4
"""Of a layer: its strongest units that are shown, the channels in its grid; and the depths at which
the photo is inverted."""

CLASS_SIDE, CLASS_STEPS = 224, 192
INVERSION_STEPS = 128
"""Sizes and steps that keep the whole page under a minute or two on two cores; by the score curves,
more changes little."""

DREAM_SIDE = 480
"""Longest side of the dream."""

METHOD_NAMES = {"finer_cam": "Finer-CAM", "grad_cam": "Grad-CAM", "layer_cam": "LayerCAM"}
"""The default methods of `explain`, as they are written in a text."""


@dataclass(frozen=True)
class Evidence:
    """What was said, the number beside it, and where the network looks for it; `is_blank` where
    the map at the layer is nowhere positive, so that nothing is drawn."""

    label: str
    amount: str
    is_blank: bool
    cam: str
    saliency: str


@dataclass(frozen=True)
class Answer:
    """One photo: what was said of it, and the evidence for the first of that; `numbers` are those
    of an embedding, and 0 of any other answer. Of an embedding nothing is said, and of a photo
    without a box or mask neither."""

    photo: str
    predictions: list[Statement]
    rows: list[Evidence]
    method: str
    layer: str | None
    height: int
    width: int
    numbers: int


@dataclass(frozen=True)
class UnitPictures:
    """A unit: where it fires, the pattern that excites it, and its feature visualization."""

    index: int
    where: str
    pattern: str
    distilled: str


@dataclass(frozen=True)
class LayerSection:
    """A layer: its maps, its statistics, and the strongest units of the stage it stands in."""

    name: str
    stage: str
    row: Row
    shown: int
    grid: str
    units: list[UnitPictures]


@dataclass(frozen=True)
class ClassSection:
    """What a class looks like, from two starts."""

    label: str
    images: list[str]


@dataclass(frozen=True)
class FoolingSection:
    """A photo, what it was turned into, and the change, plain and amplified."""

    row: Row
    before: str
    after: str
    original: str
    fooled: str
    difference: str
    amplified: str


@dataclass(frozen=True)
class DepthSection:
    """What a layer still knows of the photo."""

    layer: str
    error: float
    image: str


@dataclass(frozen=True)
class DreamSection:
    """The photo, with more of what a layer sees in it."""

    layer: str
    image: str


def answer_section(model: Model, photo: PhotoLike, seed: int) -> Answer:
    """One photo: what the network says of it, and where it looks for the first three of that."""
    predicted = predict(model, photo, top=5)
    said = statements(predicted)
    rows: list[Evidence] = []
    method, layer = "", None
    if said:
        targets = [statement.target for statement in said[:3]]
        cam = explain(model, photo, target=targets, seed=seed)
        saliency = explain(model, photo, method="saliency", target=targets, seed=seed)
        rows = [
            Evidence(
                statement.label,
                statement.amount,
                not cam["heatmap"][place].max() > 0,
                _overlay(cam, place),
                _overlay(saliency, place),
            )
            for place, statement in enumerate(said[:3])
        ]
        details = cam.details_as(AttributionDetails)
        method, layer = METHOD_NAMES[details.method], details.layer
    height, width = predicted.photos[0].shape[:2]
    is_drawn = isinstance(predicted.details, (DetectionsDetails, SegmentationDetails))
    shown = predicted.picture() if is_drawn else picture_of(predicted.photos[0])
    numbers = predicted["embedding"].shape[1] if "embedding" in predicted else 0
    return Answer(data_uri(shown), said, rows, method, layer, height, width, numbers)


def layer_sections(model: Model, photo: PhotoLike, seed: int) -> list[LayerSection]:
    """An early, a middle and a late stage: the maps of its last layer after a nonlinearity, how
    sparse they are, and the strongest units of its output beside their patterns.

    A rectified unit may be off for all noise or at its bound for all of a photo, and its picture
    then shows little; a stage's own output has a gradient everywhere.
    """
    with Probe(model) as probe:
        stages = probe.layers.spread(3)
        layers = [post_activation(probe.layers, stage) for stage in stages]
    result = activations(model, photo, layers=[*stages, *layers])
    rows = {str(row["layer"]): row for row in result.table if row["photo"] == 0}
    return [
        _layer_section(model, result, rows[name], rows[stage], seed)
        for name, stage in zip(layers, stages, strict=True)
    ]


def _layer_section(
    model: Model, result: Result, row: Row, stage_row: Row, seed: int
) -> LayerSection:
    name, stage, strongest = row["layer"], stage_row["layer"], stage_row["strongest"][:UNITS]
    units = [f"{stage}:{index}" for index in strongest]
    patterns = visualize(model, units, preset="chollet", size=PICTURE_SIDE, seed=seed)
    distilled = small_pictures(model, units, seed)
    photo, maps, stage_maps = to_rgb(result.photos[0]), result[name], result[stage]
    box = model.preprocessing.box(*photo.shape[:2])
    pictures = [
        UnitPictures(
            index,
            data_uri(
                picture_of(
                    overlay_heat(photo, scale_heat(stage_maps[0, index], "layer").share, box)
                ),
                PHOTO_SIDE // 2,
            ),
            _image_uri(patterns, place),
            _image_uri(distilled, place),
        )
        for place, index in enumerate(strongest)
    ]
    grid = replace(result, arrays={name: maps}, table=[row]).picture(first=CHANNELS)
    return LayerSection(
        name,
        stage,
        row,
        min(CHANNELS, maps.shape[1]),
        data_uri(grid, GRID_SIDE, lossless=True),
        pictures,
    )


def class_section(model: Model, target: int | str, seed: int) -> ClassSection | None:
    """What a class looks like, from two starts; None where no picture can be made (of a
    detector that shows nothing but what it is sure of, noise has no gradient)."""
    try:
        result = class_image(
            model, [target, target], preset="distill", size=CLASS_SIDE, steps=CLASS_STEPS, seed=seed
        )
    except ComputeError:
        return None
    title = result.details_as(ImagesDetails).titles[0]
    return ClassSection(title, [_image_uri(result, place) for place in (0, 1)])


def fooling_section(model: Model, photo: PhotoLike, seed: int) -> FoolingSection:
    """How little it takes for another answer."""
    result = fool(model, photo, target=goal(predict(model, photo)), seed=seed)
    original, fooled = result["original"][0], result["image"][0]
    change = fooled - original
    uris = [
        data_uri(picture_of(_pixels(image)), lossless=True)
        for image in (original, fooled, change + 0.5, AMPLIFIED * change + 0.5)
    ]
    row = result.table[0]
    before = answer_text(row, "before", "\u00a0%")
    return FoolingSection(row, before, answer_text(row, "after", "\u00a0%"), *uris)


def inversion_sections(model: Model, photo: PhotoLike, seed: int) -> list[DepthSection]:
    """What each depth still knows of the photo."""
    with Probe(model) as probe:
        names = probe.layers.spread(DEPTHS)
    result = invert(model, photo, layer=names, steps=INVERSION_STEPS, seed=seed)
    return [
        DepthSection(row["layer"], row["error"], _image_uri(result, place))
        for place, row in enumerate(result.table)
    ]


def dream_section(model: Model, photo: PhotoLike, seed: int) -> DreamSection:
    """The photo, with more of what the network sees in it."""
    pixels = predict(model, photo, top=1).photos[0]
    picture = picture_of(pixels)
    picture.thumbnail((DREAM_SIDE, DREAM_SIDE))
    result = dream(model, picture if pixels.shape[-1] == 3 else photo, seed=seed)
    title = result.details_as(ImagesDetails).titles[0]
    return DreamSection(title, data_uri(picture_of(_pixels(result["image"][0]))))


def _overlay(explanation: Result, place: int) -> str:
    """One map of an explanation over its photo."""
    details = explanation.details_as(AttributionDetails)
    part = slice(place, place + 1)
    alone = replace(
        details,
        titles=details.titles[part],
        boxes=details.boxes[part],
        marks=details.marks[part],
        photo_of=[0],
    )
    arrays = {name: array[part] for name, array in explanation.arrays.items()}
    photo = explanation.photos[details.photo_of[place]]
    single = replace(explanation, details=alone, arrays=arrays, table=[], photos=[photo])
    return data_uri(single.picture(style="overlay"))


def _pixels(image: Array) -> Pixels:
    """c h w in [0, 1] as h w c, 8 bits."""
    return to_uint8(np.clip(image, 0, 1).transpose(1, 2, 0))


def _image_uri(result: Result, place: int) -> str:
    """One image of a synthesis; small ones, which are enlarged, without loss."""
    image = result["image"]
    return data_uri(picture_of(_pixels(image[place])), lossless=image.shape[-1] < PHOTO_SIDE // 4)
