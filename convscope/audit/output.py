"""Where an audit is written, and its tables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from convscope.atlas.store.store import Store
from convscope.audit.conclusions import Conclusions
from convscope.audit.tables import (
    CONCEPT_MAPS,
    CONCEPTS,
    EXPLANATIONS,
    FINDINGS,
    GROUPS,
    PHOTOS,
    encode,
)
from convscope.concepts.concept_set import ConceptSet
from convscope.core.extras import need
from convscope.core.types import JsonObject
from convscope.errors import LayerError, OutputError
from convscope.networks.concept_file import ENDING
from convscope.networks.model import Model
from convscope.photos.load_image import PhotoLike
from convscope.photos.sources.folder import Folder
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe
from convscope.results.details import Finding
from convscope.results.pages import check_page
from convscope.results.provenance import Row

TABLES = tuple(
    table.name for table in (PHOTOS, EXPLANATIONS, GROUPS, CONCEPTS, CONCEPT_MAPS, FINDINGS)
)
"""The Parquet files of the folder."""

ENOUGH_ROWS = 14
"""Of places: on so many, heat beside an object is told from that on it."""


def check_place(out: str) -> Path:
    """The path of the page.

    Raises:
        OutputError: it cannot be written, or there is a file where the folder of rows goes.
    """
    page = check_page(out)
    folder = page.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"The rows of an audit go into the folder {folder}, which is a file.")
    return page


def check_apart(folder: Path, photos: PhotoLike, source: PhotoSource, masks: str | None) -> None:
    """Refuse to write the rows into what is read.

    Raises:
        OutputError: the folder of rows is that of the photos or of the masks, or inside of it where
            another audit would take the rows for photos.
    """
    # A folder of pictures is read for its pictures alone, and no copies of files are written.
    for read, is_whole in ((photos, not isinstance(source, Folder)), (masks, True)):
        if isinstance(read, (str, Path)) and _overlaps(folder, str(read), is_whole=is_whole):
            raise OutputError(
                f"The rows of an audit would go into {folder}, which is read; give the page another"
                " name, outside of the photos and masks."
            )


def _overlaps(folder: Path, read: str, *, is_whole: bool) -> bool:
    """Whether a folder is `read`, or, where that is read as a whole, inside of it."""
    written, known = _resolved(str(folder)), _resolved(read)
    if written == known:
        return True
    if not is_whole:
        return False
    if any(mark in read for mark in "*?["):
        pattern = re.compile(need("fsspec").utils.glob_translate(known))
        return any(pattern.match(f"{written}/{table}.parquet") for table in TABLES)
    return written.startswith(known.rstrip(os.sep) + os.sep)


def _resolved(path: str) -> str:
    """The whole path, links resolved; of one that no file can have, as text."""
    try:
        return os.path.realpath(path)
    except ValueError:
        return os.path.abspath(path)


def layer_of(model: Model, layer: str | None) -> str:
    """The layer that explanations are made at.

    Raises:
        LayerError: there is no such layer, or none with places.
    """
    with Probe(model) as probe:
        spatial = probe.layers.last_spatial()
        if layer is not None and not probe.layers[layer].spatial:
            raise LayerError(
                f"Layer {layer!r} has no places, so it shows no reasons; the last one with places"
                f" is {spatial!r}."
            )
    name = layer or spatial
    if name is None:
        raise LayerError(f"{model.name} has no layer with places, so it shows no reasons.")
    return name


def finer_layer(model: Model, layer: str) -> str:
    """The last stage before a layer that has more places; the layer where it has enough, or there
    is none, as in a transformer whose blocks all have the same."""
    with Probe(model) as probe:
        before = probe.layers.until(layer)
        rows = before[layer].shape[1]
        if rows >= ENOUGH_ROWS:
            return layer
        finer = [name for name in before.stages(len(before)) if before[name].shape[1] > rows]
    return finer[-1] if finer else layer


def photo_rows(
    model: Model, rows: Sequence[Mapping[str, object]], group_of: Mapping[int, str]
) -> list[Row]:
    """A row per photo, as the result has it; the label as the network calls it."""
    table: list[Row] = []
    for row in rows:
        index = row["label_index"]
        table.append(
            {
                "photo": row["photo"],
                "label": model.label(index) if isinstance(index, int) else None,
                "predicted": row["predicted"],
                "probability": row["probability"],
                "correct": row["correct"],
                "group": group_of.get(int(str(row["number"]))),
            }
        )
    return table


def write_tables(
    store: Store,
    model: Model,
    rows: Sequence[JsonObject],
    conclusions: Conclusions,
    listed: Sequence[Finding],
) -> None:
    """The finished tables, each one file."""
    group_of = conclusions.group_of()
    grouped = [row | {"group": group_of.get(row["number"])} for row in rows]
    groups: list[JsonObject] = []
    for named in conclusions.groups:
        group = named.group
        photos = [conclusions.explained[member] for member in group.members.tolist()]
        groups.append(
            {
                "group": named.name,
                "predicted": model.label(group.predicted),
                "photos": len(photos),
                "correct": sum(photo.label == photo.predicted for photo in photos),
                "same_place": group.same_place,
                "elsewhere": group.elsewhere,
                "oddness": group.oddness,
                "changed": group.changed,
                "drop": group.drop,
                "drop_elsewhere": group.drop_elsewhere,
                "gain": group.gain,
                "gain_elsewhere": group.gain_elsewhere,
                "is_odd": named.is_odd,
                "rows": group.heat.shape[0],
                "columns": group.heat.shape[1],
                "heat": group.heat.ravel().tolist(),
            }
        )
    for table, entries in (
        (PHOTOS, grouped),
        (EXPLANATIONS, conclusions.rows),
        (GROUPS, groups),
        (CONCEPTS, conclusions.concepts.concepts),
        (CONCEPT_MAPS, conclusions.concepts.maps),
        (FINDINGS, [asdict(finding) for finding in listed]),
    ):
        path = store.path(f"{table.name}.parquet")
        store.write(path, encode(table, entries, "finished"))


def write_concepts(store: Store, concepts: ConceptSet | None) -> None:
    """The concepts as units; those of an earlier audit are removed where there are none."""
    path = store.path(f"{CONCEPTS.name}{ENDING}")
    if concepts is not None:
        store.write(path, concepts.to_bytes())
    elif store.files.exists(path):
        store.remove(path)
