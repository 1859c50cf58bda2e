"""Parquet files with a column of pictures."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from convscope.core.extras import arrow, open_parquet
from convscope.errors import InputError
from convscope.photos.sources import register
from convscope.photos.sources.entry import LABEL_COLUMNS, Entry, label_text, photo_bytes
from convscope.photos.sources.place import Place

IMAGE_COLUMNS = ("image", "img", "photo", "picture", "jpg", "png", "bytes")
"""Names that a column of photos usually has; the first that is there is used."""

MAX_ROW_GROUPS = 2
"""Row groups of Parquet that are held at once."""


@register(ending=".parquet")
def parquet(place: Place) -> Parquet:
    """Parquet files with a column of pictures."""
    return Parquet(place.files, place.paths)


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
                    labels = []
                    if label:
                        rows = file.read_row_group(group, columns=[label], use_threads=False)
                        labels = rows.column(0).to_pylist()
                    for place in range(file.metadata.row_group(group).num_rows):
                        text = label_text(labels[place], names) if labels else None
                        yield Entry(
                            f"{path.rpartition('/')[2]}#{row}",
                            size,
                            text,
                            (path, group, place, column),
                        )
                        row += 1

    def _opened(self, path: str) -> Any:
        try:
            return open_parquet(self.files.open(path, "rb"))
        except (arrow().ArrowException, OSError) as error:
            raise InputError(
                f"{path} cannot be read as Parquet: {' '.join(str(error).split())}"
            ) from None

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo; its row group is kept for the next."""
        path, group, place, column = entry.place
        with self._lock:
            values = self._groups.get((path, group))
            if values is None:
                with self._opened(path) as file:
                    values = self._groups[(path, group)] = file.read_row_group(
                        group, columns=[column], use_threads=False
                    ).column(0)
                while len(self._groups) > MAX_ROW_GROUPS:
                    self._groups.popitem(last=False)
        return photo_bytes(values[place].as_py(), entry.name)


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
