"""Rows <-> the bytes of a Parquet part.

Every part says in its metadata, under `convscope`, the layout's version and which jobs its rows are
from, and under `huggingface` which columns are pictures. Every row carries its job's hash and a
checksum over all its other columns. No time, host or path is in the bytes, so that the same job
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from convscope.atlas.store.rows import Columns, JobEntry
from convscope.atlas.store.tables import CHECKSUM, Table
from convscope.core.extras import arrow, parquet
from convscope.core.types import Foreign
from convscope.errors import InputError

SCHEMA = 1
"""Version of the layout; goes up when a reader of old parts would have to know."""

KEY = b"convscope"
"""Where a part's metadata hold what Convscope says about it."""

DICTIONARY_LIMIT = 64 * 1024**2
"""Bytes up to which equal pictures of a part are stored once: many units show the same photo."""


@dataclass(frozen=True)
class PartHeader:
    """What a part says about itself: how many rows it has, how many of them failed, and the jobs
    they are from."""

    rows: int
    failed: int
    jobs: tuple[JobEntry, ...]

    @property
    def job_hashes(self) -> list[str]:
        """The hashes of the jobs."""
        return [job["job"] for job in self.jobs]


def digest(data: object) -> str:
    """The SHA-256 of plain data, as hexadecimal digits."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False)
    # Names of files may hold lone surrogates.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def float32(value: float | np.floating[Foreign]) -> float:
    """A number as a float32 column holds it."""
    return float(np.float32(value))


def checksum(row: Mapping[str, object]) -> str:
    """The digest of every other column of a row, the pictures' bytes included."""
    return digest({name: _hash_bytes(value) for name, value in row.items() if name != CHECKSUM})


def _hash_bytes(value: object) -> object:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, dict):
        return {key: _hash_bytes(entry) for key, entry in value.items()}
    return value


def encode_rows(table: Table[Columns], rows: Sequence[Columns], jobs: Sequence[JobEntry]) -> bytes:
    """The bytes of a part: the rows with their checksums, under the jobs that made them."""
    ordered = [{name: row.get(name) for name in table.columns} for row in rows]
    checked = [row | {CHECKSUM: checksum(row)} for row in ordered]
    failed = sum(row.get("error") is not None for row in checked)
    return encode_table(
        arrow().Table.from_pylist(checked, schema=table.schema()), table, jobs, failed
    )


def encode_table(
    data: Foreign, table: Table[Columns], jobs: Sequence[JobEntry], failed: int = 0
) -> bytes:
    """An Arrow table as the bytes of a part."""
    header = {
        "schema": SCHEMA,
        "table": table.name,
        "rows": data.num_rows,
        "failed": failed,
        "jobs": list(jobs),
    }
    metadata = {
        KEY: json.dumps(header, sort_keys=True),
        b"huggingface": json.dumps({"info": {"features": table.features()}}),
    }
    # PNG and JPEG are compressed already.
    pictures = [f"{name}.bytes" for name in table.picture_columns()]
    codecs = {leaf: "NONE" if leaf in pictures else "ZSTD" for leaf in table.leaves()}
    buffer = io.BytesIO()
    parquet().write_table(
        data.replace_schema_metadata(metadata),
        buffer,
        compression=codecs,
        write_page_checksum=True,
        dictionary_pagesize_limit=DICTIONARY_LIMIT,
    )
    return buffer.getvalue()


def read_header(file: Foreign, name: str) -> PartHeader | None:
    """What a part says about itself, from its footer alone; None where it is no whole Parquet file
    of ours.

    Raises:
        InputError: it was written by a Convscope with another layout.
    """
    pa = arrow()
    try:
        metadata = parquet().read_metadata(file).metadata or {}
        header = json.loads(metadata[KEY])
        version = int(header["schema"])
        if version == SCHEMA:
            jobs = tuple(header["jobs"])
            # A part from elsewhere may say anything: it is damaged unless these are numbers.
            numbers = [header["rows"], header["failed"], *(job["rows"] for job in jobs)]
            numbers += [job.get("first", 0) for job in jobs]
            is_sound = jobs and all(isinstance(number, int) for number in numbers)
            is_sound = is_sound and all(isinstance(job["job"], str) for job in jobs)
            return PartHeader(header["rows"], header["failed"], jobs) if is_sound else None
    except (
        pa.ArrowException,
        OSError,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return None
    older = "an older" if version < SCHEMA else "a newer"
    raise InputError(
        f"{name} was written by {older} Convscope (atlas layout {version}, this one reads"
        f" {SCHEMA}); build into another folder or use that one."
    )
