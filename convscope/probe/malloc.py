"""Freed memory kept for the next step, where the C library can be asked to."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""mallopt's numbers for them (glibc's malloc.h)."""

KEPT = 2**30
"""Bytes: blocks up to this size come from, and go back to, memory the process already has."""

DEFAULTS = {TRIM_THRESHOLD: 64 * 2**20, MMAP_THRESHOLD: 32 * 2**20}
"""Where glibc's own thresholds end up after blocks of the largest size that it learns from."""


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Inside the block large tensors are taken from memory that was freed before; afterwards the
    free memory goes back.

    glibc asks the system for every block above 32 MB anew, and the system hands out zeroed pages
    one by one; in a loop that makes the same tensors in every step this took up to a third of the
    time. Elsewhere than with glibc nothing is done.
    """
    library = _library()
    if library is None:
        yield
        return
    for option in DEFAULTS:
        library.mallopt(option, KEPT)
    try:
        yield
    finally:
        for option, value in DEFAULTS.items():
            library.mallopt(option, value)
        library.malloc_trim(0)


@cache
def _library() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        # AttributeError where it is another one
        library.gnu_get_libc_version, library.mallopt, library.malloc_trim  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library
