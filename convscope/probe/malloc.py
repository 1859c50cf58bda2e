"""Freed memory kept for the next step, where the C library can be asked to."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from convscope.core.shared_block import SharedBlock

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""mallopt's numbers for them (glibc's malloc.h)."""

KEPT = 2**30
"""Bytes: blocks up to this size come from, and go back to, memory the process already has."""

DEFAULTS = {TRIM_THRESHOLD: 64 * 2**20, MMAP_THRESHOLD: 32 * 2**20}
"""Where glibc's own thresholds end up after blocks of the largest size that it learns from."""


USER_SETTINGS = ("MALLOC_", "GLIBC_TUNABLES")
"""How the names of environment variables begin with which a user has set glibc's malloc himself."""


@contextmanager
def _large_thresholds() -> Iterator[None]:
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


_shared = SharedBlock(_large_thresholds)


def keep_freed_memory() -> SharedBlock:
    """Inside the block large tensors are taken from memory that was freed before; when the last of
    several blocks ends, the free memory goes back.

    glibc asks the system for every block above 32 MB anew, and the system hands out zeroed pages
    one by one; in a loop that makes the same tensors in every step this took up to a third of the
    time. Elsewhere than with glibc, and where the environment sets its malloc, nothing is done.
    glibc cannot be asked what its thresholds are: afterwards they are where it would have moved
    them by itself.
    """
    return _shared


@cache
def _library() -> Any:
    if not sys.platform.startswith("linux") or any(
        name.startswith(USER_SETTINGS) for name in os.environ
    ):
        return None
    try:
        library = ctypes.CDLL(None)
        # AttributeError where it is another one
        library.gnu_get_libc_version, library.mallopt, library.malloc_trim  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library
