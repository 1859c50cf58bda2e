"""The rows of an atlas's tables, typed as they are written and read."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class ImageData(TypedDict):
    """A picture inside a row, as Hugging Face's `datasets` stores it: `bytes` is a PNG or JPEG."""

    bytes: bytes
    path: str | None


class Columns(TypedDict):
    """What every row has: the network, the job that wrote it, and a checksum over the rest."""

    model: str
    model_id: str
    job: str
    checksum: NotRequired[str]


class LayerColumns(Columns):
    """A row about a layer; `depth` is the layer's place in the order in which layers end."""

    layer: str
    depth: int
    image: NotRequired[ImageData | None]


class UnitColumns(LayerColumns):
    """A picture of a unit, or one of its faces; `curve` is the score before each step, `score`
    the unit's own on the finished picture, and `label` is the class where the unit is a class."""

    unit: int
    face: int
    label: str | None
    key: str
    score: float | None
    curve: list[float]
    dead: bool
    error: str | None
    recipe: str
    seed: int
    recipe_version: int


class ExampleColumns(LayerColumns):
    """A photo of a unit; `kind` is "top" or "sample", the box is in the photo's pixels, and `image`
    is the box cut out."""

    unit: int
    kind: str
    rank: int
    value: float
    photo: str
    label: str | None
    x0: int
    y0: int
    x1: int
    y1: int
    row: int
    column: int
    photos: str
    recipe: str
    recipe_version: int


class CardColumns(LayerColumns):
    """The card of a unit. `name` is what it is called, with a confidence in [0, 1], where the
    evidence of the photos' labels (`label` ...) or masks (`object` ...) is strong enough, and
    `named_by` says which; `readability` is the share of `readability_pairs` pairs of photos that
    were sorted rightly; `highest` and `lowest` are its values on the photos; `raises`, `lowers` and
    `tuning` are JSON."""

    unit: int
    name: str | None
    confidence: float | None
    named_by: str | None
    label: str | None
    label_confidence: float | None
    label_share: float | None
    label_photos: int | None
    object: str | None
    object_confidence: float | None
    iou: float | None
    iou_low: float | None
    iou_high: float | None
    readability: float | None
    readability_pairs: int
    highest: float
    lowest: float
    raises: str
    lowers: str
    tuning: str
    photos: str
    recipe: str
    recipe_version: int


class SkippedColumns(Columns):
    """A photo that could not be read."""

    photo: str
    reason: str
    photos: str


class CellColumns(LayerColumns):
    """A cell of an activation atlas: `map` is the hash that all cells of one map share, `grid` the
    cells a side, `count` how many activations are in the cell, `vector` their mean, and `labels` is
    JSON: classes with their attribution, highest first."""

    map: str
    grid: int
    row: int
    column: int
    count: int
    labels: str
    vector: list[float]
    score: float
    dead: bool
    photos: str
    sampled: int
    recipe: str
    seed: int
    recipe_version: int


class JobEntry(TypedDict):
    """What a part says about one of the jobs whose rows it holds."""

    job: str
    rows: int
    layer: NotRequired[str]
    first: NotRequired[int]
    last: NotRequired[int]
    run: NotRequired[str]
