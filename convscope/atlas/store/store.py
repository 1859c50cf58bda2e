"""Where an atlas lies: a folder or any fsspec URL. The listing of its parts is the truth; there is
no index and no lock.

    DIR/units/<model>/<layer>/part-<job>.parquet    merged-<jobs>.parquet after `compact`
    DIR/examples/<model>/<layer>/part-<job>.parquet
    DIR/cards/<model>/<layer>/part-<job>.parquet
    DIR/skipped/<model>/part-<job>.parquet
    DIR/partial/<model>/run-<run>.parquet           how far a pass has come; gone when done

A part is staged under a hidden name and renamed; two writers of one job write the same bytes, so
that either may win.
"""

from __future__ import annotations

import errno
import posixpath
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from convscope.atlas.store.parts import PartHeader, read_header
from convscope.atlas.store.tables import TABLES
from convscope.core.extras import arrow, need, open_parquet
from convscope.core.file_system import file_system_of
from convscope.core.files import write_whole
from convscope.core.types import Foreign
from convscope.errors import ConvscopeError, InputError, OutputError

ATOMIC_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory"}
"""File systems where an object appears only once all of it has arrived, so that nothing need be
renamed."""

_STAGED = re.compile(r"^\.(?P<name>.+\.parquet)\..+\.part$")


@dataclass(frozen=True)
class Part:
    """One file: its path on its file system, and its size."""

    path: str
    size: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def job(self) -> str | None:
        """The job whose rows it holds, where it holds one job's only."""
        return (
            self.name.removeprefix("part-").removesuffix(".parquet")
            if self.name.startswith("part-")
            else None
        )


class Store:
    """The parts of one atlas.

    Args:
        url: a folder, or a URL that fsspec knows.
        create: make the folder, and fail now if it cannot be written.

    Raises:
        InputError: there is nothing there to read.
        OutputError: it cannot be written.
        ExtraError: fsspec, or the package for that kind of URL, is not installed.
    """

    def __init__(self, url: str | Path, *, create: bool = False) -> None:
        need("pyarrow")
        self.url = str(url)
        try:
            self.files, self.root = file_system_of(self.url)
        except ImportError as error:
            raise OutputError(f"{self.url} cannot be opened: {_reason(error)}") from None
        except ValueError as error:
            raise OutputError(
                f"{self.url} is neither a folder nor a URL that fsspec knows: {_reason(error)}"
            ) from None
        self.root = self.root.rstrip("/") or "/"
        protocol = self.files.protocol
        self.protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self.local = "file" in self.protocols
        if create:
            self._require_writable()
        elif not self.files.isdir(self.root):
            raise InputError(
                f"There is no atlas at {self.url}; make one with convscope atlas build."
            )
        elif not any(self.files.exists(self.path(name)) for name in (*TABLES, "partial")):
            raise InputError(
                f"The folder {self.url} holds nothing of an atlas; fill one with convscope atlas"
                " build, examples or map."
            )

    def _require_writable(self) -> None:
        try:
            self.files.makedirs(self.root, exist_ok=True)
            if self.local:
                with tempfile.TemporaryFile(dir=self.root):
                    pass
        except Exception as error:
            raise OutputError(
                f"Cannot write into {self.url}: {_reason(error)}; choose another folder."
            ) from None

    def path(self, *parts: str) -> str:
        """A path inside the atlas."""
        return posixpath.join(self.root, *parts)

    def parts(self, table: str, *folders: str) -> list[Part]:
        """All parts of a table, or of one of its folders, sorted by path."""
        return [
            Part(path, size)
            for path, size in self._list_files(self.path(table, *folders))
            if _is_part(path)
        ]

    def tables(self) -> list[str]:
        """The tables that are there: those we know, and others that lie beside them."""
        known = [name for name in TABLES if self.files.exists(self.path(name))]
        others = sorted(
            {
                path.removeprefix(self.root).strip("/").partition("/")[0]
                for path, _ in self._list_files(self.root)
            }
        )
        return known + [
            name
            for name in others
            if name not in known and name != "partial" and not name.endswith(".parquet")
        ]

    def _list_files(self, folder: str) -> list[tuple[str, int]]:
        self.files.invalidate_cache()
        if not self.files.exists(folder):
            return []
        try:
            listing = self.files.find(folder, detail=True)
        except OSError as error:
            raise InputError(f"Cannot list {folder}: {_reason(error)}.") from None
        return sorted(
            (path, int(file.get("size") or 0))
            for path, file in listing.items()
            if path.endswith((".parquet", ".part"))
        )

    def header(self, part: Part) -> PartHeader | None:
        """What a part says about itself, or None where it is cut short or no part at all. Only its
        footer is read.

        Raises:
            InputError: another version of the layout.
        """
        if part.size < 12:
            return None
        try:
            with self.files.open(part.path, "rb") as file:
                return read_header(file, part.path)
        except OSError:
            return None

    def finished_jobs(self, *folders: str) -> dict[str, int]:
        """The jobs whose rows are in readable parts of a table or of one of its folders, each with
        how many rows of its part failed."""
        headers = (self.header(part) for part in self.parts(*folders))
        return {
            job: header.failed
            for header in headers
            if header is not None
            for job in header.job_hashes
        }

    def read(self, part: Part, columns: list[str] | None = None) -> Foreign:
        """A part as an Arrow table.

        Raises:
            InputError: it is damaged.
        """
        try:
            with self.files.open(part.path, "rb") as file:
                return open_parquet(file).read(columns, use_threads=False)
        except FileNotFoundError:
            raise
        except (arrow().ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"{part.path} is damaged ({_reason(error)}); run convscope atlas verify {self.url}"
                " --remove, then build again."
            ) from None

    def load(self, path: str) -> bytes | None:
        """The contents of a file, or None where there is none."""
        try:
            data: bytes = self.files.cat_file(path)
        except (FileNotFoundError, KeyError):
            return None
        return data

    def write(self, path: str, data: bytes, *, lossy: bool = False) -> None:
        """Write a file in one step: readers see all of it or nothing. One that is `lossy` may be
        swept away by another writer meanwhile.

        Raises:
            OutputError: full, forbidden or gone; nothing half-written is left.
        """
        try:
            if self.local:
                write_whole(path, data)
            elif self.protocols & ATOMIC_PROTOCOLS:
                self.files.pipe_file(path, data)
            else:
                self._write_staged(path, data)
        except OutputError as error:
            # Another writer of the same job was faster and has swept our staged file away; its
            # bytes are the same as ours.
            if not (
                isinstance(error.__cause__, FileNotFoundError) and (lossy or Path(path).is_file())
            ):
                raise
        except ConvscopeError:
            raise
        except Exception as error:
            hint = (
                "make room and start again: nothing that is finished is lost"
                if _is_disk_full(error)
                else "what is finished is kept"
            )
            raise OutputError(f"Cannot write {path}: {_reason(error)}; {hint}.") from error

    def _write_staged(self, path: str, data: bytes) -> None:
        folder, name = posixpath.split(path)
        self.files.makedirs(folder, exist_ok=True)
        staged = posixpath.join(folder, f".{name}.{secrets.token_hex(4)}.part")
        try:
            self.files.pipe_file(staged, data)
            self.files.mv(staged, path)
        finally:
            if self.files.exists(staged):
                self.files.rm_file(staged)

    def remove(self, path: str) -> None:
        """Delete a file; one that is gone already is no error."""
        try:
            self.files.rm_file(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise OutputError(f"Cannot delete {path}: {_reason(error)}.") from None

    def leftovers(self, table: str) -> Iterator[str]:
        """The staged files of killed writers that nobody needs, since the part they were to become
        exists."""
        paths = {path for path, _ in self._list_files(self.path(table))}
        paths |= set(self._staged_files(table))
        for path in sorted(paths):
            folder, name = posixpath.split(path)
            staged = _STAGED.match(name)
            if staged is not None and posixpath.join(folder, staged["name"]) in paths:
                yield path

    def _staged_files(self, table: str) -> list[str]:
        """Listings of some file systems leave out names that begin with a dot."""
        if not self.local or not Path(self.path(table)).is_dir():
            return []
        return [str(path) for path in Path(self.path(table)).rglob(".*.part")]

    def sweep(self, table: str) -> None:
        """Remove what `leftovers` finds."""
        for path in list(self.leftovers(table)):
            self.remove(path)


def _is_part(path: str) -> bool:
    return path.endswith(".parquet") and not posixpath.basename(path).startswith(".")


def _is_disk_full(error: Exception) -> bool:
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return str(text).rstrip(".")
