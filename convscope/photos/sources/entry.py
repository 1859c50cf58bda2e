"""One photo among many, as it was listed, and what its label is called there."""

from __future__ import annotations

from dataclasses import dataclass

from convscope.core.text import storable
from convscope.core.types import Foreign
from convscope.errors import ImageError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""What counts as a photo in a folder or archive."""


LABEL_COLUMNS = ("label", "labels", "class", "category", "cls", "fine_label")
"""Names that a column of labels usually has; the first that is there is used."""


@dataclass(frozen=True)
class Entry:
    """One photo as it was listed: its name, its bytes' number where known, its label, and where to
    read it.

    Name and label can be written anywhere: a byte of a file's name that is no UTF-8, which Python
    reads as a lone surrogate, stands there escaped (`\\udcff`); `place` has it as it is.
    """

    name: str
    size: int
    label: str | None
    place: tuple[Foreign, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", storable(self.name))
        if self.label is not None:
            object.__setattr__(self, "label", storable(self.label))

    def to_json(self) -> list[Foreign]:
        """Plain data; `Entry(*data)` reads it but for `place`."""
        return [self.name, self.size, self.label, list(self.place)]

    @classmethod
    def from_json(cls, data: list[Foreign]) -> Entry:
        """The entry that `to_json` wrote."""
        return cls(data[0], data[1], data[2], tuple(data[3]))


def label_text(value: object, names: list[str] | None) -> str | None:
    """A label as text: looked up among the names where it is a number."""
    if value is None:
        return None
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return str(value)


def photo_bytes(cell: Foreign, name: str) -> bytes:
    """The bytes in a cell: as they are, or in a struct, or at the path that stands there."""
    if isinstance(cell, dict):
        if cell.get("bytes") is None and cell.get("path"):
            with open(cell["path"], "rb") as file:
                return file.read()
        cell = cell.get("bytes")
    if not cell:
        raise ImageError(f"{name} is empty.")
    return bytes(cell)
