"""Small pictures of photos, each linked to its photo and with the command of the full picture."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from convscope.atlas.scan.read_ahead import read_photo
from convscope.audit.explainer import ExplainedPhoto
from convscope.core.files import write_whole
from convscope.networks.command_words import model_words
from convscope.networks.model import Model
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.place import PhotoSource
from convscope.results.arrays import Array, Pixels
from convscope.results.pages import data_uri, picture_of
from convscope.results.pictures import overlay_heat, scale_heat, to_uint8

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 240
"""Longest side of a thumbnail; it is shown at about two thirds of that."""

SHOWN = "shown"
"""The folder for copies of photos that are no files of their own (rows of Parquet, say)."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture as a data URI, the photo's name and link, and a command."""

    picture: str
    name: str
    link: str
    command: str


class Thumbnails:
    """Draws thumbnails for one page; a photo is read once.

    Args:
        page: where the page will be; links are relative to it.
        folder: where copies of photos go that are no files.
    """

    def __init__(self, model: Model, source: PhotoSource, layer: str, page: Path, folder: Path):
        self.model, self.source, self.layer = model, source, layer
        self.page, self.folder = page, folder
        self._photos: dict[str, Tensor] = {}

    def plain(self, photo: ExplainedPhoto) -> Thumbnail:
        """The photo alone."""
        return self._thumbnail(photo, self._pixels(photo.entry))

    def with_heat(self, photo: ExplainedPhoto, heat: Array) -> Thumbnail:
        """The photo under a heatmap (h w, raw)."""
        pixels = self._pixels(photo.entry)
        box = self.model.preprocessing.box(*pixels.shape[:2])
        return self._thumbnail(photo, overlay_heat(pixels, scale_heat(heat, "layer").share, box))

    def photo(self, entry: Entry) -> Tensor:
        """A photo (1 c h w in [0, 1]), at most a few times as large as a thumbnail."""
        if entry.name not in self._photos:
            self._photos[entry.name] = read_photo(self.source, entry)
        return self._photos[entry.name]

    def _pixels(self, entry: Entry) -> Pixels:
        return to_uint8(self.photo(entry)[0].permute(1, 2, 0).cpu().numpy())

    def _thumbnail(self, photo: ExplainedPhoto, pixels: Pixels) -> Thumbnail:
        link = self._link(photo)
        return Thumbnail(
            data_uri(picture_of(pixels), SIDE),
            photo.entry.name,
            quote(Path(os.path.relpath(link, self.page.parent.resolve())).as_posix()),
            self._command(photo, str(link)),
        )

    def _link(self, photo: ExplainedPhoto) -> Path:
        """The photo's own file, or a copy."""
        place = photo.entry.place[0]
        if isinstance(place, str) and len(photo.entry.place) == 1 and Path(place).is_file():
            return Path(place).resolve()
        copy = self.folder.resolve() / SHOWN / f"{photo.number:06d}.png"
        if not copy.exists():
            write_whole(copy, _png(self._pixels(photo.entry)))
        return copy

    def _command(self, photo: ExplainedPhoto, path: str) -> str:
        target = self.model.label(photo.predicted)
        if photo.is_mistake:
            target = f"{photo.predicted} vs {photo.label}"
        elif self.model.labels is None:
            target = str(photo.predicted)
        words = ["convscope", "explain", path, "--target", target, "--layer", self.layer]
        return shlex.join(words + model_words(self.model))


def _png(pixels: Pixels) -> bytes:
    import io

    buffer = io.BytesIO()
    picture_of(pixels).save(buffer, "PNG")
    return buffer.getvalue()
