"""The columns of an atlas's Parquet parts, and rows <-> bytes.

Every part says in its metadata, under `convscope`, the layout's version and which jobs its rows are
from, and under `huggingface` which columns are pictures. Every row carries its job's hash and a
checksum over all its other columns. No time, host or path is in the bytes, so that the same job
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.core.extras import arrow, parquet
from convscope.errors import InputError

SCHEMA = 1
"""Version of the layout; goes up when a reader of old parts would have to know."""

KEY = b"convscope"
"""Where a part's metadata hold what Convscope says about it."""

CHECKSUM = "checksum"
"""The column that holds a row's checksum."""

DICTIONARY_LIMIT = 64 * 1024**2
"""Bytes up to which equal pictures of a part are stored once: many units show the same photo."""


@dataclass(frozen=True)
class Table:
    """One kind of part: its folder, and its columns as name -> kind, a "?" marking those that may
    be empty."""

    name: str
    columns: dict[str, str]
    order: tuple[str, ...]
    identity: tuple[str, ...]

    def schema(self) -> Any:
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

    def features(self) -> dict[str, Any]:
        """The same as Hugging Face's `datasets` writes it, so that its pictures are decoded."""
        named: dict[str, Any] = {
            "image": {"_type": "Image"},
            "floats": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"},
        }
        named["bytes"] = {"dtype": "binary", "_type": "Value"}
        return {
            name: named.get(kind.rstrip("?"), {"dtype": kind.rstrip("?"), "_type": "Value"})
            for name, kind in self.columns.items()
        }


UNITS = Table(
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
"""One row a picture: a unit, or one of its faces. `label` is the class where the unit is one,
`score` the end of `curve`, `depth` when the layer ends while the network runs."""

EXAMPLES = Table(
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
"""One row a photo of a unit: `kind` is "top" or "sample", the box is in the photo's pixels, `image`
the box cut out."""

SKIPPED = Table(
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
"""One row a photo that could not be read."""

MAPS = Table(
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
"""One row a cell of an activation atlas: `map` is the hash that all cells of one map share, `grid`
its cells a side, `count` how many activations are in the cell, `vector` their mean, `labels` JSON:
classes with their attribution, highest first."""

TABLES = {table.name: table for table in (UNITS, EXAMPLES, SKIPPED, MAPS)}
"""Folder -> what lies in it."""


def digest(data: Any) -> str:
    """The content hash of plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def single(value: float) -> float:
    """A number as a float32 column holds it."""
    return float(np.float32(value))


def checksum(row: dict[str, Any]) -> str:
    """Over every other column of a row, the pictures' bytes included."""
    return digest({name: _plain(value) for name, value in row.items() if name != CHECKSUM})


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


def sealed(table: Table, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows in the table's order, each with its checksum."""
    ordered = [{name: row.get(name) for name in table.columns} for row in rows]
    return [row | {CHECKSUM: checksum(row)} for row in ordered]


def encode(table: Table, rows: Sequence[dict[str, Any]], jobs: Sequence[dict[str, Any]]) -> bytes:
    """A part's bytes; the rows are sealed."""
    failed = sum(row.get("error") is not None for row in rows)
    return write(arrow().Table.from_pylist(list(rows), schema=table.schema()), table, jobs, failed)


def write(data: Any, table: Table, jobs: Sequence[dict[str, Any]], failed: int = 0) -> bytes:
    """An Arrow table as a part's bytes."""
    head = {
        "schema": SCHEMA,
        "table": table.name,
        "rows": data.num_rows,
        "failed": failed,
        "jobs": list(jobs),
    }
    metadata = {
        KEY: json.dumps(head, sort_keys=True),
        b"huggingface": json.dumps({"info": {"features": table.features()}}),
    }
    pictures = [f"{name}.bytes" for name, kind in table.columns.items() if kind.startswith("image")]
    codecs = {leaf: "NONE" if leaf in pictures else "ZSTD" for leaf in _leaves(table)}
    buffer = io.BytesIO()
    parquet().write_table(
        data.replace_schema_metadata(metadata),
        buffer,
        compression=codecs,
        write_page_checksum=True,
        dictionary_pagesize_limit=DICTIONARY_LIMIT,
    )
    return buffer.getvalue()


def _leaves(table: Table) -> list[str]:
    """Parquet's names of the columns: those of structs and lists are their parts'."""
    inner = {"image": [".bytes", ".path"], "floats": [".list.element"]}
    return [
        name + end
        for name, kind in table.columns.items()
        for end in inner.get(kind.rstrip("?"), [""])
    ]


def head_of(file: Any, name: str) -> dict[str, Any] | None:
    """What a part says about itself, from its footer alone; None where it is no whole Parquet file
    of ours.

    Raises:
        InputError: it was written by a Convscope with another layout.
    """
    pa = arrow()
    try:
        metadata = parquet().read_metadata(file).metadata or {}
        head: dict[str, Any] = json.loads(metadata[KEY])
        found = int(head["schema"])
    except (pa.ArrowException, OSError, EOFError, KeyError, ValueError, TypeError):
        return None
    if found != SCHEMA:
        older = "an older" if found < SCHEMA else "a newer"
        raise InputError(
            f"{name} was written by {older} Convscope (atlas layout {found}, this one reads"
            f" {SCHEMA}); build into another folder or use that one."
        )
    return head
