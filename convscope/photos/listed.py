"""Photos that a caller lists: paths, or photos in memory, as a source like any other."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from convscope.errors import ImageError
from convscope.photos.load_image import Photo, PhotoLike, load_photos
from convscope.photos.samples import PREFIX
from convscope.photos.sources.entry import Entry


class Listed:
    """A list of photos. A path is read when it is wanted; a photo from memory is kept as PNG and is
    called after its place in the list."""

    def __init__(self, photos: Sequence[PhotoLike]) -> None:
        self.names: list[str] = []
        self._data: list[bytes | None] = []
        for photo in photos:
            if isinstance(photo, (str, Path)) and not str(photo).startswith(PREFIX):
                self.names.append(str(photo))
                self._data.append(None)
                continue
            for data in _encoded(photo):
                self.names.append(f"photo {len(self.names)}")
                self._data.append(data)

    @property
    def are_files(self) -> bool:
        """Whether all photos are files, which another run finds again."""
        return all(data is None for data in self._data)

    def walk(self) -> Iterator[Entry]:
        """The photos in the list's order."""
        for number, (name, data) in enumerate(zip(self.names, self._data, strict=True)):
            size = len(data) if data is not None else _size(name)
            yield Entry(name, size, None, (number,) if data is not None else (name,))

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        (place,) = entry.place
        if isinstance(place, str):
            return Path(place).read_bytes()
        return self._data[place] or b""


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _encoded(photo: Photo | Sequence[PhotoLike]) -> Iterator[bytes]:
    """Photos from memory as PNG."""
    for tensor in load_photos(photo):
        channels = tensor.shape[1]
        if channels not in (1, 3):
            raise ImageError(f"A photo has {channels} channels; a list takes photos with 1 or 3.")
        pixels = (tensor[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy()
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels)).save(
            buffer, "PNG"
        )
        yield buffer.getvalue()
