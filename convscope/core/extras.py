"""The packages of the extras `atlas` and `ray`, fetched when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from convscope.errors import ExtraError


def need(module: str, extra: str = "atlas") -> Any:
    """A module of an optional package.

    Raises:
        ExtraError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ExtraError(module.partition(".")[0], extra) from None


def arrow() -> Any:
    """`pyarrow`."""
    return need("pyarrow")


def parquet() -> Any:
    """`pyarrow.parquet`."""
    return need("pyarrow.parquet")
