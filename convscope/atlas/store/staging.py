"""A folder written aside and renamed: readers see the old one or the new one, whole."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType

from convscope.core.files import exchange
from convscope.errors import OutputError

MARK = "convscope-site.json"
"""The file by which a folder is known as one that may be replaced."""

STALE = 24 * 3600.0
"""Seconds after which what a killed writer left aside is swept away."""


OWN_ENTRIES = {"index.html", "assets", MARK}
"""What lies at the top of a site whose mark does not list its files, beside networks' folders."""


class StagingFolder:
    """A folder to be. Inside the block files are written beside its place; at its end it takes the
    place of the one before, whose files it replaces. What else was put there (`.git`, `CNAME`)
    comes along.

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
        self.names: list[str] = []
        self.bytes = 0

    @property
    def files(self) -> int:
        """How many files were written."""
        return len(self.names)

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
        self.names.append(name)
        self.bytes += len(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        old = self.aside.with_suffix(".old")
        try:
            if kind is None:
                self._carry_over()
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

    def write_mark(self, facts: dict[str, object]) -> None:
        """Write the file by which the folder is known; it lists those written before, so that the
        next site can tell them from what others put there."""
        text = json.dumps(facts | {"files": sorted(self.names)}, sort_keys=True)
        self.write(MARK, text.encode())

    def _carry_over(self) -> None:
        """Bring along what others put into the folder that is replaced.

        Raises:
            OutputError: the new site has a file of that name.
        """
        if not self.place.is_dir():
            return
        names = _listed_names(self.place)
        for path in _foreign(self.place, names):
            target = self.aside / path.relative_to(self.place)
            if os.path.lexists(target):
                if names is None:
                    continue  # most probably a page of the site before
                raise OutputError(
                    f"{path} is no file of the site before and would be overwritten; move it out of"
                    f" {self.out} and export again."
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() and not path.is_symlink():
                shutil.copytree(path, target, symlinks=True, copy_function=_link_or_copy)
            else:
                _link_or_copy(str(path), str(target))

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(
            f"Cannot write {self.out}: {error.strerror or error}; what was there before is kept."
        )


def _listed_names(site: Path) -> set[str] | None:
    """The files that a site's mark lists; None where it lists none."""
    try:
        mark = json.loads((site / MARK).read_bytes())
        return {str(name) for name in mark["files"]} | {MARK}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _foreign(site: Path, names: set[str] | None) -> list[Path]:
    """The files and folders in a site that are none of its own: those that are not listed, or,
    where none are, what is beside its pages and its networks' folders."""
    if names is None:
        return [
            path
            for path in sorted(site.iterdir())
            if path.name not in OWN_ENTRIES and not (path / "labels.js").is_file()
        ]
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    return list(_not_listed(site, site, names, folders))


def _not_listed(site: Path, folder: Path, names: set[str], folders: set[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        name = path.relative_to(site).as_posix()
        if name in folders and path.is_dir() and not path.is_symlink():
            yield from _not_listed(site, path, names, folders)
        elif name not in names:
            yield path


def _link_or_copy(source: str, target: str) -> None:
    """A second name for the same file; a copy where the file system has none."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
