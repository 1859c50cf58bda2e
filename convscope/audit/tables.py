"""The tables of an audit: the columns of its Parquet files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from convscope.atlas.store.parts import encode_table
from convscope.atlas.store.rows import Columns
from convscope.atlas.store.tables import Table
from convscope.core.extras import arrow, open_parquet
from convscope.core.types import JsonObject
from convscope.results.arrays import Array

PHOTOS: Table[Columns] = Table(
    "photos",
    {
        "number": "int64",
        "photo": "string",
        "label": "string?",
        "label_index": "int32?",
        "predicted": "string?",
        "predicted_index": "int32?",
        "probability": "float32?",
        "label_probability": "float32?",
        "rank": "int32?",
        "margin": "float32?",
        "correct": "bool?",
        "group": "string?",
        "unreadable": "string?",
    },
    ("number",),
    ("number",),
)
"""Every photo. `rank` is the label's place among the classes, 0 for the top prediction; `margin` is
the predicted class's score minus the label's."""

EXPLANATIONS: Table[Columns] = Table(
    "explanations",
    {
        "number": "int64",
        "photo": "string",
        "predicted_index": "int32",
        "label_index": "int32",
        "rows": "int32",
        "columns": "int32",
        "heat": "floats",
        "contributions": "floats",
        "contrast": "floats",
        "contrast_contributions": "floats",
        "fine_rows": "int32",
        "fine_columns": "int32",
        "fine_heat": "floats",
        "object": "floats",
        "object_area": "float32?",
        "heat_on_object": "float32?",
        "without_object": "int32?",
        "without_background": "int32?",
    },
    ("number",),
    ("number",),
)
"""Every photo that was explained. `heat` is Grad-CAM of the predicted class (rows x columns),
`contributions` gradient x activation of each unit; `contrast` the same of the predicted class
minus the label, where they differ. `fine_heat` is HiResCAM of the predicted class at an earlier
layer with more places (fine_rows x fine_columns); `object` is the share of each of these that the
object takes, where there is a mask. `without_object` and `without_background` are what the network
predicts then."""

GROUPS: Table[Columns] = Table(
    "groups",
    {
        "group": "string",
        "predicted": "string",
        "photos": "int32",
        "correct": "int32?",
        "same_place": "float32",
        "elsewhere": "float32",
        "oddness": "float32",
        "changed": "float32?",
        "drop": "float32?",
        "drop_elsewhere": "float32?",
        "gain": "float32?",
        "gain_elsewhere": "float32?",
        "is_odd": "bool",
        "rows": "int32",
        "columns": "int32",
        "heat": "floats",
    },
    ("group",),
    ("group",),
)
"""Groups of photos that are given the same class for the same reason, the oddest first. Without the
group's place the share `changed` of its answers change, and their probability falls by `drop`, that
of other photos by `drop_elsewhere`; put into photos that get other answers, the place raises the
class's probability by `gain`, the same place of photos that are not of the group by
`gain_elsewhere`."""

CONCEPTS: Table[Columns] = Table(
    "concepts", {"concept": "int32", "direction": "floats"}, ("concept",), ("concept",)
)
"""Directions of the layer that the activations of the explained photos are made of."""

CONCEPT_MAPS: Table[Columns] = Table(
    "concept_maps",
    {
        "number": "int64",
        "photo": "string",
        "concept": "int32",
        "rows": "int32",
        "columns": "int32",
        "heat": "floats",
        "contribution": "float32?",
    },
    ("number", "concept"),
    ("number", "concept"),
)
"""Where the concepts are on the photos that they are learned from (`heat`, rows x columns), and, of
the worst mistakes, what each adds to the answer's score minus the label's."""

FINDINGS: Table[Columns] = Table(
    "findings",
    {"kind": "string", "subject": "string", "value": "float32", "sentence": "string"},
    ("kind",),
    ("kind", "subject"),
)
"""What stands out, by `kind`: label, then reason, then background. `value` is a number of photos, a
difference of cosines, and a difference of shares."""


def encode(table: Table[Columns], rows: Sequence[Mapping[str, object]], job: str) -> bytes:
    """Rows as the bytes of a Parquet file that says which job they are from."""
    data = arrow().Table.from_pylist(list(rows), schema=table.schema())
    return encode_table(data, table, [{"job": job, "rows": len(rows)}])


def heat_of(row: Mapping[str, object], name: str = "heat") -> Array:
    """A heatmap of a row of the tables of explanations or of concepts (h w)."""
    prefix = "fine_" if name == "fine_heat" else ""
    size = [int(str(row[prefix + side])) for side in ("rows", "columns")]
    return np.asarray(row[name], np.float32).reshape(size)


def decode(data: bytes) -> list[JsonObject]:
    """The rows of a Parquet file."""
    rows: list[JsonObject] = open_parquet(io.BytesIO(data)).read(use_threads=False).to_pylist()
    return rows
