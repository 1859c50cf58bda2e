"""The packages of the extras `atlas` and `ray`, fetched when they are needed."""

from __future__ import annotations

import importlib

from convscope.core.types import Foreign
from convscope.errors import ExtraError


def need(module: str, extra: str = "atlas") -> Foreign:
    """A module of an optional package.

    Raises:
        ExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ExtraError(module.partition(".")[0], extra) from None


def arrow() -> Foreign:
    """`pyarrow`."""
    return need("pyarrow")


def parquet() -> Foreign:
    """`pyarrow.parquet`."""
    return need("pyarrow.parquet")


def open_parquet(file: Foreign) -> Foreign:
    """A `pyarrow.parquet.ParquetFile` of an open file, whose page checksums are verified.

    Read it with `use_threads=False`. Arrow's threads hold references to the Python file; one that
    lets go of the last of them while the interpreter ends takes the lock of an interpreter that is
    gone, and the process dies with "terminate called without an active exception".
    """
    return parquet().ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
