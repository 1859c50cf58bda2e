"""The photos that pages may ask about: samples, those the user named, and uploads."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from convscope.core.cache import Cache
from convscope.core.types import JsonObject
from convscope.networks.model import Model
from convscope.photos.load_image import PhotoLike, load_image
from convscope.photos.samples import PREFIX, SAMPLES
from convscope.photos.upload import decode_upload
from convscope.results.pictures import to_rgb, to_uint8
from convscope.web.errors import Refusal
from convscope.web.limits import HELD_PHOTO_BYTES, UPLOAD_PIXELS

DISPLAY_SIDE = 1280
"""Longer side of a photo as the page shows it."""

THUMBNAIL_SIDE = 160


@dataclass(frozen=True)
class Photo:
    """One photo as the server holds it.

    `source` is what the command line calls it (a path or a sample), or None for an upload;
    `pixels` are h w 3; `fitted` is the part the network sees, at its size: verbs give the same
    numbers for it as for the whole photo. `box` is where that part lies (top, left, height, width).
    """

    id: str
    name: str
    source: str | None
    pixels: npt.NDArray[np.uint8]
    fitted: Tensor
    box: tuple[float, float, float, float]
    display: bytes
    thumbnail: bytes

    def to_json(self) -> JsonObject:
        """What the page needs to know."""
        height, width = self.pixels.shape[:2]
        return {
            "id": self.id,
            "name": self.name,
            "source": self.source,
            "height": height,
            "width": width,
            "box": list(self.box),
        }

    @property
    def exact(self) -> str | npt.NDArray[np.uint8]:
        """What a verb is given where its result must be the command line's, byte for byte."""
        return self.source if self.source is not None else self.pixels


class Photos:
    """Photos by number: a request names one, never a path."""

    def __init__(self, model: Model, sources: Sequence[PhotoLike] = ()) -> None:
        self._model = model
        self._uploads: Cache[Photo] = Cache(HELD_PHOTO_BYTES)
        self._lazy: dict[str, Callable[[], Photo]] = {}
        self._loaded: dict[str, Photo] = {}
        self._lock = threading.Lock()
        for place, source in enumerate(sources, start=1):
            photo = self._of_user(f"photo-{place}", source)
            self._loaded[photo.id] = photo
        for name in SAMPLES:
            self._lazy[f"sample-{name}"] = self._sample(name)

    def _sample(self, name: str) -> Callable[[], Photo]:
        source = f"{PREFIX}{name}"
        return lambda: self._photo(f"sample-{name}", name, source, load_image(source))

    def _of_user(self, number: str, source: PhotoLike) -> Photo:
        text = str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else None
        name = number if text is None else text.replace("\\", "/").rpartition("/")[2]
        return self._photo(number, name.removeprefix(PREFIX), text, load_image(source))

    def _photo(self, number: str, name: str, source: str | None, image: Tensor) -> Photo:
        model = self._model
        pixels = to_rgb(to_uint8(image[0].permute(1, 2, 0).numpy()))
        return Photo(
            number,
            name,
            source,
            pixels,
            model.fit(image),
            model.preprocessing.box(*image.shape[-2:]),
            _jpeg(pixels, DISPLAY_SIDE),
            _jpeg(pixels, THUMBNAIL_SIDE),
        )

    def names(self) -> list[JsonObject]:
        """The photos that the page offers: the user's own first, then the samples."""
        uploads = [photo for number, photo in self._loaded.items() if number not in self._lazy]
        return [{"id": photo.id, "name": photo.name} for photo in uploads] + [
            {"id": number, "name": number.removeprefix("sample-")} for number in self._lazy
        ]

    def held(self, number: str) -> Photo | None:
        """The photo of that number, if it need not be read first."""
        return self._loaded.get(number) or self._uploads.get(number)

    def get(self, number: str) -> Photo:
        """The photo of that number.

        Raises:
            Refusal: there is none, or it was dropped.
        """
        with self._lock:
            if number in self._lazy and number not in self._loaded:
                self._loaded[number] = self._lazy[number]()
            photo = self._loaded.get(number) or self._uploads.get(number)
        if photo is None:
            raise Refusal(404, "This photo is not held here any more; add it again.")
        return photo

    def add(self, data: bytes, name: str) -> Photo:
        """Take in a photo that was sent; the same file is held once."""
        image = decode_upload(data, most_pixels=UPLOAD_PIXELS)
        number = f"upload-{hashlib.sha256(data).hexdigest()[:24]}"
        photo = self._photo(number, name or "photo", None, image)
        with self._lock:
            self._uploads.put(number, photo, photo.pixels.nbytes + photo.fitted.nbytes)
        return photo


def _jpeg(pixels: npt.NDArray[np.uint8], side: int) -> bytes:
    """A photo as JPEG, at most `side` on its longer side."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
