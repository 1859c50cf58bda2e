"""Webdataset archives."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator

from convscope.core.types import Foreign
from convscope.errors import InputError
from convscope.photos.sources import register
from convscope.photos.sources.entry import ENDINGS, LABEL_COLUMNS, Entry
from convscope.photos.sources.place import Place


@register(ending=".tar")
def archives(place: Place) -> Archives:
    """Webdataset archives: plain tar files."""
    return Archives(place.files, place.paths)


class Archives:
    """Webdataset archives: plain tar files in which NAME.jpg, NAME.cls and NAME.json belong
    together."""

    def __init__(self, files: Foreign, paths: list[str]) -> None:
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
                                Entry(photo.name, photo.size, label, photo.place) for photo in group
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
                            file_in = archive.extractfile(member)
                            label = _label_in(file_in.read() if file_in else b"", ending) or label
                    yield from (
                        Entry(photo.name, photo.size, label, photo.place) for photo in group
                    )
            except (tarfile.TarError, OSError) as error:
                raise InputError(
                    f"{path} cannot be read as a tar archive: {error}; give plain, uncompressed"
                    " .tar files."
                ) from None

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        path, first, size = entry.place
        data: bytes = self.files.cat_file(path, start=first, end=first + size)
        return data


def _label_in(data: bytes, ending: str) -> str | None:
    """The label in a .cls or .json file of an archive."""
    text = data.decode("utf-8", "replace").strip()
    if ending == ".cls":
        return text or None
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return next(
        (
            str(values[key])
            for key in LABEL_COLUMNS
            if isinstance(values, dict) and values.get(key) is not None
        ),
        None,
    )
