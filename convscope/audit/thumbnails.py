"""Small pictures of photos, each linked to its photo and with the command of the full picture."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from convscope.atlas.scan.read_ahead import read_photo
from convscope.audit.explainer import ExplainedPhoto
from convscope.core.files import write_whole
from convscope.networks.command_words import model_words
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.results.arrays import Array, Pixels
from convscope.results.pages import data_uri, picture_of
from convscope.results.pictures import overlay_heat, scale_heat, to_uint8

SIDE = 240
"""Longest side of a thumbnail; it is shown at about two thirds of that."""

KEPT_SIDE = 2 * SIDE
"""Longest side of the photos that are kept in memory, so that a page of large photos does not hold
them all."""

SHOWN = "shown"
"""The folder for copies of photos that are no files of their own (rows of Parquet, say)."""

COPY = re.compile(r"\d{6,}-([0-9a-f]{16})\.png")
"""The name of a copy: the photo's number, and the beginning of the SHA-256 of the file's bytes, so
that another photo has another name, and a file of someone else's is not taken for a copy."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture as a data URI, the photo's name and link, and a command."""

    picture: str
    name: str
    link: str
    command: str


@dataclass(frozen=True)
class KeptPhoto:
    """A photo (h w c), at most `KEPT_SIDE` large, and the file that shows it whole."""

    pixels: Pixels
    file: Path


class Thumbnails:
    """Draws thumbnails for one page; a photo is read once.

    Args:
        page: where the page will be; links are relative to it.
        folder: where copies of photos go that are no files.
    """

    def __init__(self, model: Model, source: PhotoSource, layer: str, page: Path, folder: Path):
        self.model, self.source, self.layer = model, source, layer
        self.page, self.copies = page, folder.resolve() / SHOWN
        self._photos: dict[int, KeptPhoto] = {}

    def plain(self, photo: ExplainedPhoto) -> Thumbnail:
        """The photo alone."""
        return self._thumbnail(photo, self._kept(photo).pixels)

    def with_heat(self, photo: ExplainedPhoto, heat: Array) -> Thumbnail:
        """The photo under a heatmap (h w, raw)."""
        pixels = self._kept(photo).pixels
        box = self.model.preprocessing.box(*pixels.shape[:2])
        return self._thumbnail(photo, overlay_heat(pixels, scale_heat(heat, "layer").share, box))

    def remove_old_copies(self) -> None:
        """Remove the copies that an earlier audit wrote and this one does not show. A file that no
        audit wrote, or that was changed since, is left."""
        shown = {kept.file for kept in self._photos.values()}
        # What cannot be listed or removed does no harm: no page links to it.
        with suppress(OSError):
            for file in sorted(self.copies.glob("*.png")):
                name = COPY.fullmatch(file.name)
                if name and file not in shown and name[1] == _hash(file.read_bytes()):
                    file.unlink()
            if not any(self.copies.iterdir()):
                self.copies.rmdir()

    def _kept(self, photo: ExplainedPhoto) -> KeptPhoto:
        if photo.number not in self._photos:
            image = read_photo(self.source, photo.entry)
            pixels = to_uint8(image[0].permute(1, 2, 0).cpu().numpy())
            small = picture_of(pixels)
            small.thumbnail((KEPT_SIDE, KEPT_SIDE))
            self._photos[photo.number] = KeptPhoto(np.asarray(small), self._file(photo, pixels))
        return self._photos[photo.number]

    def _file(self, photo: ExplainedPhoto, pixels: Pixels) -> Path:
        """The photo's own file, or a copy, which is written."""
        place = photo.entry.place[0]
        if isinstance(place, str) and len(photo.entry.place) == 1 and Path(place).is_file():
            return Path(place).resolve()
        buffer = io.BytesIO()
        picture_of(pixels).save(buffer, "PNG")
        data = buffer.getvalue()
        return write_whole(self.copies / f"{photo.number:06d}-{_hash(data)}.png", data)

    def _thumbnail(self, photo: ExplainedPhoto, pixels: Pixels) -> Thumbnail:
        file = self._kept(photo).file
        return Thumbnail(
            data_uri(picture_of(pixels), SIDE),
            photo.entry.name,
            quote(Path(os.path.relpath(file, self.page.parent.resolve())).as_posix()),
            self._command(photo, str(file)),
        )

    def _command(self, photo: ExplainedPhoto, path: str) -> str:
        # By index: several classes may have one label.
        against = f" vs {photo.label}" if photo.is_mistake else ""
        target = f"{photo.predicted}{against}"
        words = ["convscope", "explain", path, "--target", target, "--layer", self.layer]
        return shlex.join(words + model_words(self.model))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
