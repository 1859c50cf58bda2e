"""A folder written aside and renamed: readers see the old one or the new one, whole."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path
from types import TracebackType

from convscope.core.files import exchange
from convscope.errors import OutputError

MARK = "convscope-site.json"
"""The file by which a folder is known as one that may be replaced."""

STALE = 24 * 3600.0
"""Seconds after which what a killed writer left aside is swept away."""


class StagingFolder:
    """A folder to be. Inside the block files are written beside its place; at its end it takes the
    place of the one before.

    Raises:
        OutputError: it cannot be written, or something else is there.
    """

    def __init__(self, out: str | Path) -> None:
        if "://" in str(out):
            raise OutputError(f"A site is written into a local folder; {out} is a URL.")
        self.out = Path(out)
        try:
            is_foreign = self.out.exists() and (
                not self.out.is_dir()
                or (any(self.out.iterdir()) and not (self.out / MARK).is_file())
            )
        except OSError as error:
            raise self._failed(error) from None
        if is_foreign:
            raise OutputError(
                f"{out} holds something other than a site, which would be lost; choose another"
                " folder."
            )
        self.place = self.out.absolute().resolve()
        self.aside = self.place.with_name(f".{self.place.name}.{secrets.token_hex(4)}.part")
        self.files = self.bytes = 0

    def __enter__(self) -> StagingFolder:
        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            for left in self.place.parent.glob(f".{self.place.name}.*.part"):
                if time.time() - left.stat().st_mtime > STALE:
                    shutil.rmtree(left, ignore_errors=True)
            self.aside.mkdir()
        except OSError as error:
            raise self._failed(error) from None
        return self

    def write(self, name: str, data: bytes) -> None:
        """Write one file of the folder."""
        path = self.aside / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise self._failed(error) from None
        self.files += 1
        self.bytes += len(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        old = self.aside.with_suffix(".old")
        try:
            if kind is None and not exchange(self.aside, self.place):
                if self.place.exists():
                    os.rename(self.place, old)
                os.rename(self.aside, self.place)
        except OSError as failure:
            if not old.exists() and exchange(self.aside, self.place):
                return  # another writer was faster; the later one stays
            if old.exists() and not self.place.exists():
                os.rename(old, self.place)
            raise self._failed(failure) from None
        finally:
            shutil.rmtree(self.aside, ignore_errors=True)
            if self.place.exists():
                shutil.rmtree(old, ignore_errors=True)

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"Cannot write {self.out}: {error.strerror or error}; what was there before is kept."
        )
