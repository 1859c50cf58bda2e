"""What a picture needs beside the numbers: titles, boxes, methods. One frozen record a view.

The class of a result's details decides which picture draws it, so a result always knows its view,
and a view can rely on what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar, Literal, TypeAlias

from typing_extensions import TypedDict

from convscope.errors import OptionError, suggest
from convscope.results.audit_records import ClassAccuracy as ClassAccuracy
from convscope.results.audit_records import Finding as Finding
from convscope.results.marks import Mark

View: TypeAlias = Literal[
    "activations",
    "attribution",
    "audit",
    "comparison",
    "concept_cards",
    "detections",
    "features",
    "fooling",
    "images",
    "measurements",
    "predictions",
    "segmentation",
    "table",
    "values",
]
"""The pictures that a result can be drawn as; the file of that name in `pictures/` draws it."""

Space: TypeAlias = Literal["layer", "input"]
"""Where an attribution map lives: at a layer (as a CAM) or at the pixels of the input."""

Box: TypeAlias = tuple[float, float, float, float]
"""Top, left, height and width, in pixels of a photo."""


@dataclass(frozen=True, kw_only=True)
class Details:
    """The base of all: `details["titles"]` reads the same as `details.titles`."""

    view: ClassVar[View]

    def __getitem__(self, name: str) -> object:
        if name not in self._names():
            raise OptionError(f"These details have no {name!r}; {suggest(name, self._names())}")
        return getattr(self, name)

    def get(self, name: str, default: object = None) -> object:
        """The detail of that name, or `default` where this view has none."""
        return getattr(self, name) if name in self._names() else default

    def to_json(self) -> dict[str, object]:
        """Name to value, as a saved result keeps them."""
        return asdict(self)

    def _names(self) -> list[str]:
        return [entry.name for entry in fields(self)]


@dataclass(frozen=True, kw_only=True)
class ActivationsDetails(Details):
    """The channels that are drawn at large; none means a grid of all of them."""

    view: ClassVar[View] = "activations"
    channels: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PredictionsDetails(Details):
    """Predictions stand in the table; a report also says which page it wrote."""

    view: ClassVar[View] = "predictions"
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class DetectionsDetails(Details):
    """Detections stand in the table, in pixels of the photo."""

    view: ClassVar[View] = "detections"


@dataclass(frozen=True, kw_only=True)
class SegmentationDetails(Details):
    """The part of each photo that the network saw, and the names of the classes by number."""

    view: ClassVar[View] = "segmentation"
    boxes: list[Box] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ValuesDetails(Details):
    """Values of a regression, or the size of an embedding, stand in the table."""

    view: ClassVar[View] = "values"


@dataclass(frozen=True, kw_only=True)
class FeaturesDetails(Details):
    """The layer whose features are colored, and the part of each photo that the network saw."""

    view: ClassVar[View] = "features"
    layer: str = ""
    boxes: list[Box] = field(default_factory=list)


class LayerTotals(TypedDict):
    """Sums over a table of layers: how many, their units, and the network's parameters."""

    layers: int
    units: int
    parameters: int


@dataclass(frozen=True, kw_only=True)
class TableDetails(Details):
    """A line above the table, and what `layers` counts."""

    view: ClassVar[View] = "table"
    title: str | None = None
    totals: LayerTotals | None = None


@dataclass(frozen=True)
class TargetRecord:
    """A class that was asked about, and the one subtracted from it; or another question, in
    words."""

    index: int | None
    against: int | None = None
    text: str | None = None


@dataclass(frozen=True)
class MethodRecord:
    """An attribution method that ran: where its map lives, whether it is signed, at what layer, and
    with which options (None in results of before they were kept)."""

    method: str
    space: Space
    signed: bool
    layer: str | None
    options: dict[str, object] | None = None


@dataclass(frozen=True, kw_only=True)
class MapDetails(Details):
    """What all attribution maps share: for each map its title, its photo's place, the part of the
    photo that the network saw, its target (None for a callable), the probability of its class (None
    where nothing ran that said one), and the part that was asked about (None for all of it)."""

    titles: list[str] = field(default_factory=list)
    photo_of: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    targets: list[TargetRecord | None] = field(default_factory=list)
    probabilities: list[float | None] = field(default_factory=list)
    marks: list[Mark | None] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class AttributionDetails(MapDetails):
    """One method's maps."""

    view: ClassVar[View] = "attribution"
    method: str = ""
    space: Space = "layer"
    signed: bool = False
    layer: str | None = None
    options: dict[str, object] | None = None


@dataclass(frozen=True, kw_only=True)
class ConceptCardsDetails(MapDetails):
    """Concepts of a layer: a caption for each beside its map, and the method that they are from."""

    view: ClassVar[View] = "concept_cards"
    captions: list[str] = field(default_factory=list)
    method: str = ""
    layer: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonDetails(MapDetails):
    """Several methods' maps of the same targets."""

    view: ClassVar[View] = "comparison"
    methods: list[MethodRecord] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ImagesDetails(Details):
    """Images from an optimization: a title for each, the steps of the snapshots, why it ended
    early, which images have a dead unit, and what went wrong (`notes`, sentences). The rest says
    what was asked, by verb; `preset` is the one that was taken in the end."""

    view: ClassVar[View] = "images"
    titles: list[str] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    ended: str | None = None
    dead: list[int] = field(default_factory=list)
    objectives: list[object] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    layer: str | None = None
    layers: list[str] = field(default_factory=list)
    octaves: list[tuple[int, int]] = field(default_factory=list)
    preset: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class FoolingDetails(Details):
    """Photos with another answer: a title for each, why the steps ended early, the steps of the
    snapshots, the preset, and what went wrong (`notes`, sentences)."""

    view: ClassVar[View] = "fooling"
    titles: list[str] = field(default_factory=list)
    ended: str | None = None
    snapshots: list[int] = field(default_factory=list)
    preset: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class MeasurementsDetails(Details):
    """Methods by metrics: the rows' order in the arrays, which way each metric is better, what each
    tiled picture shows, the method that knows nothing, and tiles a row."""

    view: ClassVar[View] = "measurements"
    methods: list[str] = field(default_factory=list)
    metrics: dict[str, Literal["higher", "lower"]] = field(default_factory=dict)
    grids: list[str] = field(default_factory=list)
    floor: str | None = None
    tiles: int = 1


@dataclass(frozen=True, kw_only=True)
class AuditDetails(Details):
    """The page and the folder that were written, how many photos were read and explained, what
    stands out, and the classes, the least accurate first."""

    view: ClassVar[View] = "audit"
    path: str = ""
    folder: str = ""
    photos: int = 0
    explained: int = 0
    findings: list[Finding] = field(default_factory=list)
    classes: list[ClassAccuracy] = field(default_factory=list)


CLASSES: Mapping[str, type[Details]] = {
    kind.view: kind
    for kind in (
        ActivationsDetails,
        AttributionDetails,
        AuditDetails,
        ComparisonDetails,
        ConceptCardsDetails,
        DetectionsDetails,
        FeaturesDetails,
        FoolingDetails,
        ImagesDetails,
        MeasurementsDetails,
        PredictionsDetails,
        SegmentationDetails,
        TableDetails,
        ValuesDetails,
    )
}
"""View to the class of its details."""


def details_from_json(view: object, data: object) -> Details:
    """Details as `to_json` gave them, every value checked against its type.

    Raises:
        ValueError: no such view, or a value of another type.
    """
    from pydantic import TypeAdapter

    if view not in CLASSES:
        raise ValueError(f"There is no view {view!r}.")
    kind = CLASSES[str(view)]
    checker: TypeAdapter[Details] = TypeAdapter(kind)
    return checker.validate_python(data)
