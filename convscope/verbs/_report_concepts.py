"""What the report page says of a photo beside other photos: its grid, the saved concepts in it, and
the group that an audit puts it into."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from convscope.concepts.concept_set import ConceptSet
from convscope.core.damaged import DAMAGED
from convscope.core.extras import open_parquet
from convscope.core.types import JsonObject
from convscope.errors import ComputeError, InputError, LayerError
from convscope.networks.concept_file import ENDING, PREFIX, read_layer
from convscope.networks.concept_layer import project, without_concepts
from convscope.networks.model import Model
from convscope.photos.load_image import load_image
from convscope.probe import Probe
from convscope.questions.target import Target
from convscope.results.arrays import Array, to_numpy
from convscope.results.pages import PHOTO_SIDE, data_uri, picture_of
from convscope.results.pictures import overlay_heat, scale_heat, to_rgb, to_uint8
from convscope.results.provenance import Provenance
from convscope.results.result import Result
from convscope.verbs._report_questions import statements
from convscope.verbs._small_pictures import small_pictures
from convscope.verbs._verb import PhotoLike, network_input
from convscope.verbs.activation_grid import activation_grid
from convscope.verbs.predict import predict

PHOTO_COLUMNS: dict[str, type] = {
    "photo": str,
    "label": str,
    "predicted": str,
    "correct": bool,
    "group": str,
}
GROUP_COLUMNS: dict[str, type] = {"group": str, "is_odd": bool}
"""What is read of an audit's tables."""

SHOWN = 4
"""Concepts of a photo: those that say most about its answer."""


@dataclass(frozen=True)
class GridSection:
    """A photo as a layer sees it, place by place."""

    layer: str
    image: str


@dataclass(frozen=True)
class ConceptCard:
    """A concept on a photo: where it fires, what excites it, and, where there is an answer, what it
    adds to the answer's score."""

    index: int
    where: str
    picture: str
    contribution: float | None


@dataclass(frozen=True)
class ConceptsSection:
    """The concepts of a file that matter most on a photo: what was asked, at which layer, of how
    many."""

    path: str
    layer: str
    count: int
    target: str | None
    cards: list[ConceptCard]


@dataclass(frozen=True)
class AuditSection:
    """What an audit says of a photo; no group where it stands alone, no `photo` where the audit
    does not know it."""

    folder: str
    photo: str | None
    label: str | None = None
    predicted: str | None = None
    correct: bool | None = None
    group: str | None = None
    is_odd: bool = False
    others: tuple[str, ...] = ()


def grid_section(model: Model, photo: PhotoLike, seed: int) -> GridSection | None:
    """The activation grid of the last layer with places; None where there is none."""
    try:
        result = activation_grid(model, photo, seed=seed)
    except (ComputeError, LayerError):
        return None
    return GridSection(str(result.details["layer"]), _uri(result["image"][0]))


def require_concepts(model: Model, path: str) -> None:
    """Refuse a file of concepts that are not of this network.

    Raises:
        InputError: there is no such file, or it holds no concepts.
        LayerError: they are of another network.
    """
    with Probe(model) as probe:
        probe.layers[_layer_name(path)]


def _layer_name(path: str) -> str:
    return PREFIX + path.removesuffix(ENDING)


def concepts_section(model: Model, photo: PhotoLike, path: str, seed: int) -> ConceptsSection:
    """The saved concepts that add most to the answer, either way; of a network without an answer,
    those that fire most; `require_concepts` comes before."""
    saved = ConceptSet.load(path)
    predicted = predict(model, photo, top=1)
    said = statements(predicted)[:1]
    maps, contribution = _along(model, photo, path, said[0].target if said else None)
    strength = abs(contribution) if contribution is not None else maps.mean((1, 2))
    shown = [int(index) for index in (-strength).argsort(kind="stable")[:SHOWN]]
    pictures = small_pictures(model, [saved.objective(index) for index in shown], seed)
    cards = [
        ConceptCard(
            index,
            _where(model, predicted, maps[index]),
            _uri(pictures["image"][place]),
            None if contribution is None else float(contribution[index]),
        )
        for place, index in enumerate(shown)
    ]
    target = said[0].label if said else None
    return ConceptsSection(path, saved.layer, len(saved), target, cards)


def _along(
    model: Model, photo: PhotoLike, path: str, target: int | str | None
) -> tuple[Array, Array | None]:
    """How strongly each concept is at each place (k h w), and by how much the target's score falls
    when it alone is taken away (k), measured as `intervene` does: the derivative may have the
    other sign where a concept is strong."""
    name = _layer_name(path)
    image = network_input(model, [load_image(photo)])
    with Probe(model) as probe:
        if target is None:
            return to_numpy(probe.activations(image, [name])[name][0]), None
        run = probe.partial_forward(image, read_layer(name).layer)
        maps = project(run.maps, name)[0]
        asked = Target.of(model, target).prepared([(image.shape[-2], image.shape[-1])])
        asked = asked.resolved(run.output)
        whole = asked(run.output)
        falls = [
            whole - asked(run(without_concepts(run.maps, f"{name}/{index}")))
            for index in range(len(maps))
        ]
    return to_numpy(maps), to_numpy(torch.cat(falls))


def _where(model: Model, predicted: Result, map_: Array) -> str:
    """Where a concept fires, over the photo."""
    pixels = to_rgb(predicted.photos[0])
    box = model.preprocessing.box(*pixels.shape[:2])
    heat = overlay_heat(pixels, scale_heat(map_, "layer").share, box)
    return data_uri(picture_of(heat), PHOTO_SIDE // 2)


def audit_section(folder: str, record: Provenance) -> AuditSection:
    """What the audit in a folder (or of a page) says of the first photo of a record.

    Raises:
        InputError: there is no finished audit.
    """
    root = Path(folder)
    root = root.with_suffix("") if root.suffix.lower() == ".html" else root
    photos, groups = _table(root, "photos", PHOTO_COLUMNS), _table(root, "groups", GROUP_COLUMNS)
    row = _row_of(photos, record["photos"][0]["path"])
    if row is None:
        return AuditSection(folder, None)
    group = row["group"]
    others = [
        entry["photo"] for entry in photos if group and entry["group"] == group and entry is not row
    ]
    return AuditSection(
        folder,
        row["photo"],
        row["label"],
        row["predicted"],
        row["correct"],
        group,
        any(entry["group"] == group and entry["is_odd"] for entry in groups),
        tuple(others),
    )


def _table(root: Path, name: str, columns: Mapping[str, type]) -> list[JsonObject]:
    """The rows of a table of an audit; each has the columns, and a first one that is not empty.

    Raises:
        InputError: there is none, or it is another table.
    """
    file = root / f"{name}.parquet"
    try:
        data = file.read_bytes()
    except OSError:
        raise InputError(
            f"{root} holds no finished audit: there is no file {file.name} in it; give the folder"
            " or the page that convscope audit wrote."
        ) from None
    try:
        table = open_parquet(io.BytesIO(data)).read(columns=list(columns), use_threads=False)
        rows: list[JsonObject] = table.to_pylist()
    except DAMAGED:
        raise InputError(f"{file} cannot be read as a table of an audit.") from None
    key = next(iter(columns))
    has_columns = set(columns) <= set(table.column_names)
    if not has_columns or not all(
        row[key] is not None
        and all(isinstance(row[name], (kind, type(None))) for name, kind in columns.items())
        for row in rows
    ):
        raise InputError(
            f"{file} is no table of an audit, whose columns are {', '.join(columns)} among others;"
            " give the folder or the page that convscope audit wrote."
        )
    return rows


def _row_of(photos: Sequence[JsonObject], path: str | None) -> JsonObject | None:
    """The row whose name is the longest end of the path; None where none is."""
    if path is None:
        return None
    parts = Path(path).resolve().parts
    fitting = [
        row for row in photos if parts[-len(Path(row["photo"]).parts) :] == Path(row["photo"]).parts
    ]
    return max(fitting, key=lambda row: len(Path(row["photo"]).parts), default=None)


def _uri(image: Array) -> str:
    """c h w in [0, 1] as a picture."""
    return data_uri(picture_of(to_uint8(image.clip(0, 1).transpose(1, 2, 0))))
