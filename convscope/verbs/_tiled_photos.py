"""Labeled photos tiled at random: pictures of several classes, of which one is asked about."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from convscope.errors import ImageError, OptionError
from convscope.networks.model import Model
from convscope.photos.load_image import load_photos
from convscope.photos.resize import resize
from convscope.probe import Probe
from convscope.questions.target import find_class

LABELS = "labels.csv"
"""The file that names each photo's class: a column `file`, and `imagenet_index`, `index` or
`label`."""

PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class LabeledPhoto:
    """A photo (1 c h w in [0, 1]), its class, and where its object is (1 1 h w), where that is
    known."""

    name: str
    photo: Tensor
    index: int
    mask: Tensor | None


@dataclass(frozen=True)
class TiledPicture:
    """One tiled picture (network input, 1 c h w), the class asked about, the tile (or the object in
    it), and what is where."""

    image: Tensor
    index: int
    tile: Tensor
    object: Tensor | None
    title: str


def labeled_photos(probe: Probe, folder: str, alpha_masks: bool) -> list[LabeledPhoto]:
    """The photos of a folder with their classes; without labels, the top predictions.

    Raises:
        ImageError: there is no such folder, or a photo cannot be read.
        OptionError: the file of labels lacks a column.
    """
    place = Path(folder)
    if not os.path.isdir(place):
        raise ImageError(f"There is no folder {folder}.")
    labels = _labels(place / LABELS) if (place / LABELS).is_file() else {}
    paths = [place / name for name in labels] or sorted(
        path for path in place.iterdir() if path.suffix.lower() in PHOTOS
    )
    photos = []
    for path in paths:
        photo, mask = _read(path, alpha_masks)
        if labels:
            index = find_class(probe.model, labels[path.name])
        else:
            fitted = probe.model.fit(photo)
            index = int(probe.scores(probe.model.preprocess(fitted)).argmax())
        photos.append(LabeledPhoto(path.stem, photo, index, mask))
    return photos


def tile_photos(
    model: Model, photos: list[LabeledPhoto], grids: int, tiles: int, seed: int
) -> Iterator[TiledPicture]:
    """Random tiled pictures without a class twice; the tile asked about goes round.

    Raises:
        OptionError: the photos have fewer classes than a picture has tiles.
    """
    classes, count = len({photo.index for photo in photos}), tiles * tiles
    if classes < count:
        raise OptionError(
            f"A picture of {tiles} x {tiles} tiles needs {count} classes; the photos have"
            f" {classes}."
        )
    generator = torch.Generator().manual_seed(seed)
    for number in range(grids):
        by_class: dict[int, LabeledPhoto] = {}
        for place in torch.randperm(len(photos), generator=generator).tolist():
            by_class.setdefault(photos[place].index, photos[place])
        yield _tile(model, list(by_class.values())[:count], tiles, number % count)


def _tile(model: Model, photos: list[LabeledPhoto], tiles: int, asked_place: int) -> TiledPicture:
    """Photos in rows on one picture of the network's size."""
    height, width = (side // tiles for side in model.size)
    image = torch.zeros(1, model.channels, *model.size)
    tile, object_mask = torch.zeros(2, 1, *model.size, dtype=torch.bool)
    for place, photo in enumerate(photos):
        row, column = divmod(place, tiles)
        rows = slice(row * height, (row + 1) * height)
        columns = slice(column * width, (column + 1) * width)
        image[:, :, rows, columns] = resize(model.fit(photo.photo).cpu(), (height, width))
        if place == asked_place:
            tile[:, rows, columns] = True
            if photo.mask is not None:
                mask = resize(model.preprocessing.fit(photo.mask), (height, width))
                object_mask[:, rows, columns] = mask[:, 0] > 0.5
    asked = photos[asked_place]
    return TiledPicture(
        model.preprocess(image),
        asked.index,
        tile.to(model.device),
        None if asked.mask is None else object_mask.to(model.device),
        f"{asked.name} in {', '.join(photo.name for photo in photos)}",
    )


def _labels(path: Path) -> dict[str, str]:
    """File name to class, as the table says."""
    labels: dict[str, str] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            columns = ("imagenet_index", "index", "label")
            column = next((name for name in columns if row.get(name)), None)
            if not row.get("file") or column is None:
                raise OptionError(
                    f"{path} must have the columns file and imagenet_index, index or label."
                )
            labels[row["file"]] = row[column]
    return labels


def _read(path: Path, alpha_masks: bool) -> tuple[Tensor, Tensor | None]:
    """A photo, and its mask where the alpha channel is one (the colors are then taken as they
    are)."""
    if not alpha_masks:
        return load_photos(path)[0], None
    load_photos(path)  # refuses what cannot be read
    with Image.open(path) as picture:
        if "A" not in picture.getbands():
            raise ImageError(
                f"{path} has no alpha channel, so it holds no mask; leave out alpha_masks."
            )
        pixels = np.asarray(picture.convert("RGBA"))
    return load_photos(pixels[..., :3])[0], load_photos(pixels[..., 3])[0]
