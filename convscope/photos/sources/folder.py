"""A folder of pictures."""

from __future__ import annotations

from collections.abc import Iterator

from convscope.core.types import Foreign
from convscope.photos.sources import register
from convscope.photos.sources.entry import ENDINGS, Entry
from convscope.photos.sources.place import Place


@register()
def folder(place: Place) -> Folder:
    """All pictures under a folder."""
    return Folder(place.files, place.paths[0])


class Folder:
    """All pictures under a folder; a photo's label is the name of the folder it is in, if that is
    below the one given."""

    def __init__(self, files: Foreign, root: str) -> None:
        self.files, self.root = files, root.rstrip("/")

    def walk(self) -> Iterator[Entry]:
        """The photos, folder by folder, by name."""
        yield from self._in(self.root)

    def _in(self, folder: str) -> Iterator[Entry]:
        items = sorted(self.files.ls(folder, detail=True), key=lambda item: str(item["name"]))
        for item in items:
            path = str(item["name"]).rstrip("/")
            name = path.removeprefix(self.root).lstrip("/")
            last = name.rpartition("/")[2]
            if path == folder or last.startswith("."):
                continue
            if item["type"] == "directory" and not item.get("islink"):
                yield from self._in(path)
            elif last.lower().endswith(ENDINGS):
                above = name.rpartition("/")[0].rpartition("/")[2]
                yield Entry(name, int(item.get("size") or 0), above or None, (path,))

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        data: bytes = self.files.cat_file(entry.place[0])
        return data
