"""The tables of an atlas: which columns their Parquet parts have, in which order rows are sorted,
and what tells one row from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from convscope.atlas.store.rows import (
    CardColumns,
    CellColumns,
    Columns,
    ExampleColumns,
    SkippedColumns,
    UnitColumns,
)
from convscope.core.extras import arrow
from convscope.core.types import Foreign

CHECKSUM = "checksum"
"""The column that holds a row's checksum."""

ColumnsT = TypeVar("ColumnsT", bound=Columns, covariant=True)


@dataclass(frozen=True)
class Table(Generic[ColumnsT]):
    """One kind of part: its folder, and its columns as name -> kind, a "?" marking those that may
    be empty."""

    name: str
    columns: dict[str, str]
    order: tuple[str, ...]
    identity: tuple[str, ...]

    def schema(self) -> Foreign:
        """The Arrow schema, without metadata."""
        pa = arrow()
        kinds = {
            "string": pa.string(),
            "int32": pa.int32(),
            "int64": pa.int64(),
            "float32": pa.float32(),
            "bool": pa.bool_(),
            "floats": pa.list_(pa.float32()),
            "bytes": pa.binary(),
            "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        }
        return pa.schema(
            [
                pa.field(name, kinds[kind.rstrip("?")], nullable=kind.endswith("?"))
                for name, kind in self.columns.items()
            ]
        )

    def features(self) -> dict[str, object]:
        """The same as Hugging Face's `datasets` writes it, so that its pictures are decoded."""
        features: dict[str, object] = {
            "image": {"_type": "Image"},
            "floats": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"},
        }
        features["bytes"] = {"dtype": "binary", "_type": "Value"}
        return {
            name: features.get(kind.rstrip("?"), {"dtype": kind.rstrip("?"), "_type": "Value"})
            for name, kind in self.columns.items()
        }

    def picture_columns(self) -> list[str]:
        """The columns that hold pictures."""
        return [name for name, kind in self.columns.items() if kind.startswith("image")]

    def leaves(self) -> list[str]:
        """Parquet's names of the columns: structs and lists are named by what is inside."""
        inner = {"image": [".bytes", ".path"], "floats": [".list.element"]}
        return [
            name + end
            for name, kind in self.columns.items()
            for end in inner.get(kind.rstrip("?"), [""])
        ]


UNITS: Table[UnitColumns] = Table(
    "units",
    {
        "model": "string",
        "model_id": "string",
        "layer": "string",
        "depth": "int32",
        "unit": "int32",
        "face": "int32",
        "label": "string?",
        "key": "string",
        "image": "image?",
        "score": "float32?",
        "curve": "floats",
        "dead": "bool",
        "error": "string?",
        "recipe": "string",
        "seed": "int64",
        "recipe_version": "int32",
        "job": "string",
        CHECKSUM: "string",
    },
    ("unit", "face", "key"),
    ("key",),
)

EXAMPLES: Table[ExampleColumns] = Table(
    "examples",
    {
        "model": "string",
        "model_id": "string",
        "layer": "string",
        "depth": "int32",
        "unit": "int32",
        "kind": "string",
        "rank": "int32",
        "value": "float32",
        "photo": "string",
        "label": "string?",
        "x0": "int32",
        "y0": "int32",
        "x1": "int32",
        "y1": "int32",
        "row": "int32",
        "column": "int32",
        "image": "image?",
        "photos": "string",
        "recipe": "string",
        "recipe_version": "int32",
        "job": "string",
        CHECKSUM: "string",
    },
    ("unit", "kind", "rank", "photos"),
    ("layer", "unit", "kind", "rank", "photos", "recipe"),
)

CARDS: Table[CardColumns] = Table(
    "cards",
    {
        "model": "string",
        "model_id": "string",
        "layer": "string",
        "depth": "int32",
        "unit": "int32",
        "name": "string?",
        "confidence": "float32?",
        "named_by": "string?",
        "label": "string?",
        "label_confidence": "float32?",
        "label_share": "float32?",
        "label_photos": "int32?",
        "object": "string?",
        "object_confidence": "float32?",
        "iou": "float32?",
        "iou_low": "float32?",
        "iou_high": "float32?",
        "readability": "float32?",
        "readability_pairs": "int32",
        "highest": "float32",
        "lowest": "float32",
        "raises": "string",
        "lowers": "string",
        "tuning": "string",
        "photos": "string",
        "recipe": "string",
        "recipe_version": "int32",
        "job": "string",
        CHECKSUM: "string",
    },
    ("unit", "photos"),
    ("layer", "unit", "photos", "recipe"),
)

SKIPPED: Table[SkippedColumns] = Table(
    "skipped",
    {
        "model": "string",
        "model_id": "string",
        "photo": "string",
        "reason": "string",
        "photos": "string",
        "job": "string",
        CHECKSUM: "string",
    },
    ("photo",),
    ("photo", "photos"),
)

MAPS: Table[CellColumns] = Table(
    "maps",
    {
        "model": "string",
        "model_id": "string",
        "layer": "string",
        "depth": "int32",
        "map": "string",
        "grid": "int32",
        "row": "int32",
        "column": "int32",
        "count": "int32",
        "labels": "string",
        "vector": "floats",
        "image": "image?",
        "score": "float32",
        "dead": "bool",
        "photos": "string",
        "sampled": "int32",
        "recipe": "string",
        "seed": "int64",
        "recipe_version": "int32",
        "job": "string",
        CHECKSUM: "string",
    },
    ("map", "row", "column"),
    ("map", "row", "column"),
)

TABLES: dict[str, Table[Columns]] = {
    table.name: table for table in (UNITS, EXAMPLES, CARDS, SKIPPED, MAPS)
}
"""Folder -> what lies in it."""
