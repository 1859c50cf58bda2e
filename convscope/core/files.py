"""Files are written aside and renamed, so that a reader sees the old file or the new one, never
half of one."""

from __future__ import annotations

import ctypes
import os
import stat
import tempfile
from pathlib import Path

from convscope.errors import OutputError


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write `data` to `path` in one step; the folder is made where it is missing.

    Raises:
        OutputError: the place cannot be written; nothing is left behind.
    """
    named = path = Path(path)
    # A link stays a link: what it points to is written.
    path = Path(os.path.realpath(path))
    aside: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(aside, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        os.replace(aside, path)
        aside = None
    except OSError as error:
        raise OutputError(f"Cannot write {named}: {error.strerror or error}.") from error
    finally:
        if aside is not None and os.path.exists(aside):
            os.unlink(aside)
    return named


def exchange(first: Path, second: Path) -> bool:
    """Let two files or folders change places in one step; False where the system has no such call,
    or one of them is not there."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if swap is None:
        return False
    # AT_FDCWD twice, and RENAME_EXCHANGE (linux/fcntl.h, linux/fs.h).
    status = swap(-100, os.fsencode(first), -100, os.fsencode(second), ctypes.c_uint(2))
    return bool(status == 0)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
