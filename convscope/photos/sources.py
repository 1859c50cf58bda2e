"""Where photos come from: a folder, Parquet, webdataset archives, a Hugging Face dataset. They are
listed in one fixed order without being read, so that millions of them take no memory, and read by
what was listed.
"""

from __future__ import annotations

import json
import re
import tarfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convscope.core.extras import arrow, need, parquet
from convscope.errors import ImageError, InputError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
"""What counts as a photo in a folder or archive."""

IMAGE_COLUMNS = ("image", "img", "photo", "picture", "jpg", "png", "bytes")
LABEL_COLUMNS = ("label", "labels", "class", "category", "cls", "fine_label")
"""Names that columns of photos and of their labels usually have, the first found is taken."""

GROUPS = 2
"""Row groups of Parquet that are held at once."""

HF = "hf:"

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class Entry:
    """One photo as it was listed: its name, its bytes' number where known, its label, and where to
    read it."""

    name: str
    size: int
    label: str | None
    place: tuple[Any, ...]

    def to_json(self) -> list[Any]:
        """Plain data; `Entry(*data)` reads it but for `place`."""
        return [self.name, self.size, self.label, list(self.place)]

    @classmethod
    def from_json(cls, data: list[Any]) -> Entry:
        """The entry that `to_json` wrote."""
        return cls(data[0], data[1], data[2], tuple(data[3]))


class Folder:
    """All pictures under a folder; a photo's label is the name of the folder it is in, if that is
    below the one given."""

    def __init__(self, files: Any, root: str) -> None:
        self.files, self.root = files, root.rstrip("/")

    def walk(self) -> Iterator[Entry]:
        """The photos, folder by folder, by name."""
        yield from self._in(self.root)

    def _in(self, folder: str) -> Iterator[Entry]:
        found = sorted(self.files.ls(folder, detail=True), key=lambda one: str(one["name"]))
        for one in found:
            path = str(one["name"]).rstrip("/")
            name = path.removeprefix(self.root).lstrip("/")
            last = name.rpartition("/")[2]
            if path == folder or last.startswith("."):
                continue
            if one["type"] == "directory" and not one.get("islink"):
                yield from self._in(path)
            elif last.lower().endswith(ENDINGS):
                above = name.rpartition("/")[0].rpartition("/")[2]
                yield Entry(name, int(one.get("size") or 0), above or None, (path,))

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        found: bytes = self.files.cat_file(entry.place[0])
        return found


class Parquet:
    """Rows of Parquet files with a column of pictures; labels from a column of labels."""

    def __init__(self, files: Any, paths: list[str]) -> None:
        self.files, self.paths = files, paths
        self._groups: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"files": self.files, "paths": self.paths}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["files"], state["paths"])  # type: ignore[misc]

    def walk(self) -> Iterator[Entry]:
        """The rows, file by file."""
        for path in self.paths:
            with self._opened(path) as file:
                column, label, names = _columns(file.schema_arrow, path)
                size = file.metadata.serialized_size
                row = 0
                for group in range(file.num_row_groups):
                    labels = (
                        file.read_row_group(group, columns=[label]).column(0).to_pylist()
                        if label
                        else []
                    )
                    for place in range(file.metadata.row_group(group).num_rows):
                        said = _label(labels[place], names) if labels else None
                        yield Entry(
                            f"{path.rpartition('/')[2]}#{row}",
                            size,
                            said,
                            (path, group, place, column),
                        )
                        row += 1

    def _opened(self, path: str) -> Any:
        try:
            return parquet().ParquetFile(self.files.open(path, "rb"))
        except (arrow().ArrowException, OSError) as error:
            raise InputError(
                f"{path} cannot be read as Parquet: {' '.join(str(error).split())}"
            ) from None

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo; its row group is kept for the next."""
        path, group, place, column = entry.place
        with self._lock:
            held = self._groups.get((path, group))
            if held is None:
                with self._opened(path) as file:
                    held = self._groups[(path, group)] = file.read_row_group(
                        group, columns=[column]
                    ).column(0)
                while len(self._groups) > GROUPS:
                    self._groups.popitem(last=False)
        return _bytes(held[place].as_py(), entry.name)


class Archives:
    """Webdataset archives: plain tar files in which NAME.jpg, NAME.cls and NAME.json belong
    together."""

    def __init__(self, files: Any, paths: list[str]) -> None:
        self.files, self.paths = files, paths

    def walk(self) -> Iterator[Entry]:
        """The photos, archive by archive, in the order in which they lie there."""
        for path in self.paths:
            short = path.rpartition("/")[2]
            try:
                with (
                    self.files.open(path, "rb") as file,
                    tarfile.open(fileobj=file, mode="r:") as archive,
                ):
                    key, group, label = None, list[Entry](), None
                    for member in archive:
                        if not member.isfile():
                            continue
                        folder, slash, last = member.name.rpartition("/")
                        now = folder + slash + last.partition(".")[0]
                        if now != key:
                            yield from (
                                Entry(one.name, one.size, label, one.place) for one in group
                            )
                            key, group, label = now, [], None
                        ending = "." + last.partition(".")[2].lower()
                        if ending.endswith(ENDINGS):
                            group.append(
                                Entry(
                                    f"{short}#{member.name}",
                                    member.size,
                                    None,
                                    (path, member.offset_data, member.size),
                                )
                            )
                        elif ending in (".cls", ".json"):
                            held = archive.extractfile(member)
                            label = _written(held.read() if held else b"", ending) or label
                    yield from (Entry(one.name, one.size, label, one.place) for one in group)
            except (tarfile.TarError, OSError) as error:
                raise InputError(
                    f"{path} cannot be read as a tar archive: {error}; give plain, uncompressed"
                    " .tar files."
                ) from None

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        path, first, size = entry.place
        found: bytes = self.files.cat_file(path, start=first, end=first + size)
        return found


class HuggingFace:
    """A dataset of Hugging Face by its name or local folder, `hf:NAME` or `hf:NAME:SPLIT`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._data: Any = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"text": self.text}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["text"])  # type: ignore[misc]

    def _loaded(self) -> tuple[Any, str, str | None, list[str] | None]:
        with self._lock:
            if self._data is None:
                datasets = need("datasets")
                name, _, split = self.text.partition(":")
                try:
                    data = datasets.load_dataset(name, split=split or "train")
                # whatever the hub, the network or a script raises becomes one sentence here
                except Exception as error:
                    raise InputError(
                        f"The dataset hf:{self.text} cannot be loaded:"
                        f" {' '.join(str(error).split())[:300]}"
                    ) from None
                pictures = [
                    key for key, kind in data.features.items() if type(kind).__name__ == "Image"
                ]
                if not pictures:
                    raise InputError(
                        f"The dataset hf:{self.text} has no column of pictures; it has:"
                        f" {', '.join(data.features)}."
                    )
                label = next((key for key in LABEL_COLUMNS if key in data.features), None)
                names = getattr(data.features[label], "names", None) if label else None
                self._data = (
                    data.cast_column(pictures[0], datasets.Image(decode=False)),
                    pictures[0],
                    label,
                    names,
                )
            found: tuple[Any, str, str | None, list[str] | None] = self._data
            return found

    def walk(self) -> Iterator[Entry]:
        """The rows in order."""
        data, _, label, names = self._loaded()
        column = data.select_columns([label]) if label else None
        for row in range(len(data)):
            yield Entry(
                f"{self.text}#{row}",
                0,
                _label(column[row][label], names) if column is not None else None,
                (row,),
            )

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        data, column, _, _ = self._loaded()
        return _bytes(data[entry.place[0]][column], entry.name)


Source = Folder | Parquet | Archives | HuggingFace


def source_of(images: str) -> Source:
    """The photos that a text names.

    Raises:
        InputError: there is nothing, or nothing that is a photo.
    """
    text = str(images)
    if text.startswith(HF):
        return HuggingFace(text.removeprefix(HF))
    fsspec = need("fsspec")
    try:
        files, path = fsspec.core.url_to_fs(text)
    except (ImportError, ValueError) as error:
        raise InputError(f"{text} cannot be opened: {error}") from None
    paths = sorted(
        {
            one
            for each in _spread(path)
            for one in (files.glob(each) if any(mark in each for mark in "*?[") else [each])
        }
    )
    if not paths or not all(files.exists(one) for one in paths):
        raise InputError(
            f"There are no photos at {text}; give a folder, .parquet or .tar files, or hf:NAME."
        )
    if len(paths) == 1 and files.isdir(paths[0]):
        return _folder(files, paths[0], text)
    endings = {"." + one.rpartition(".")[2].lower() for one in paths}
    if endings == {".parquet"}:
        return Parquet(files, paths)
    if endings == {".tar"}:
        return Archives(files, paths)
    raise InputError(
        f"{text} is none of the places photos can come from: a folder, .parquet or .tar files, or"
        " hf:NAME."
    )


def _folder(files: Any, path: str, text: str) -> Source:
    """A folder of pictures, or else of Parquet files or archives."""
    folder = Folder(files, path)
    if next(folder.walk(), None) is not None:
        return folder
    for ending, kind in ((".parquet", Parquet), (".tar", Archives)):
        found = sorted(one for one in files.find(path) if one.endswith(ending))
        if found:
            return kind(files, found)
    raise ImageError(f"There is no photo in {text}; photos end in {', '.join(ENDINGS[:4])} ...")


def _spread(path: str) -> list[str]:
    """Webdataset's shards-{000..012}.tar as single names."""
    found = _BRACES.search(path)
    if found is None:
        return [path]
    first, last = found[1], found[2]
    numbers = [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return [
        each
        for number in numbers
        for each in _spread(path[: found.start()] + number + path[found.end() :])
    ]


def _columns(schema: Any, path: str) -> tuple[str, str | None, list[str] | None]:
    """The columns of pictures and labels, and the labels' names where they are numbers."""
    pa = arrow()
    fitting = []
    for field in schema:
        inside = pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
        if inside or pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            fitting.append(field.name)
    if not fitting:
        raise InputError(
            f"{path} has no column of pictures (bytes, or a struct with bytes in it); it has:"
            f" {', '.join(schema.names)}."
        )
    column = min(
        fitting,
        key=lambda name: IMAGE_COLUMNS.index(name) if name in IMAGE_COLUMNS else len(IMAGE_COLUMNS),
    )
    label = next((name for name in LABEL_COLUMNS if name in schema.names), None)
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label].get("names")
    except (KeyError, ValueError, AttributeError, TypeError):
        names = None
    return column, label, names


def _label(value: Any, names: list[str] | None) -> str | None:
    if value is None:
        return None
    return (
        names[value] if names and isinstance(value, int) and 0 <= value < len(names) else str(value)
    )


def _written(data: bytes, ending: str) -> str | None:
    """The label in a .cls or .json file of an archive."""
    text = data.decode("utf-8", "replace").strip()
    if ending == ".cls":
        return text or None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return next(
        (
            str(found[key])
            for key in LABEL_COLUMNS
            if isinstance(found, dict) and found.get(key) is not None
        ),
        None,
    )


def _bytes(value: Any, name: str) -> bytes:
    """The bytes of a cell: as they are, or in a struct, or at the path that stands there."""
    if isinstance(value, dict):
        if value.get("bytes") is None and value.get("path"):
            with open(value["path"], "rb") as file:
                return file.read()
        value = value.get("bytes")
    if not value:
        raise ImageError(f"{name} is empty.")
    return bytes(value)
