"""Scenes with known boxes and masks: cut-out objects on photos, drawn from one generator."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from skimage import data
from torch import Tensor
from torchvision import ops

NAMES = ("sheep", "rabbit_little", "lion-2", "ostrich", "garbagetruck", "drum_tomtom_floor")
"""The classes, as the photos' files are called: four animals and two things, told apart easily."""

SIDE = 256
"""Pixels of a scene."""

SMALLEST, LARGEST = 64, 116
"""Longer side of an object, in pixels of the scene."""

TRAINING_BACKGROUNDS = ("coffee", "rocket", "retina", "hubble_deep_field")
TEST_BACKGROUNDS = ("astronaut", "chelsea")
"""Of scikit-image; scenes to measure on stand on others than those to train on."""

TRIES = 100
"""Places tried for an object that must touch no other."""


@dataclass(frozen=True)
class Scene:
    """An image (3 h w in [0, 1]) and, in it, boxes (k 4: x1, y1, x2, y2), labels (k, from 1; 0 is
    the background) and masks (k h w)."""

    image: Tensor
    boxes: Tensor
    labels: Tensor
    masks: Tensor

    @property
    def label_map(self) -> Tensor:
        """The class of every pixel (h w)."""
        labels = torch.zeros(self.masks.shape[1:], dtype=torch.long)
        for mask, label in zip(self.masks, self.labels, strict=True):
            labels[mask] = label
        return labels


class Scenes:
    """Draws scenes from a folder of photos whose alpha channel is the object's mask."""

    def __init__(self, folder: Path | str, *, is_test: bool = False) -> None:
        folder = Path(folder)
        with (folder / "labels.csv").open() as rows:
            names = {row["file"]: row["label"] for row in csv.DictReader(rows)}
        self.labels = ["background", *(names[f"{name}.png"] for name in NAMES)]
        self.cutouts = [_cutout(folder / f"{name}.png") for name in NAMES]
        sources = TEST_BACKGROUNDS if is_test else TRAINING_BACKGROUNDS
        self.backgrounds = [Image.fromarray(getattr(data, name)()) for name in sources]

    def draw(self, rng: np.random.Generator, classes: Sequence[int]) -> Scene:
        """A scene with one object of each of these classes (from 1), none touching another."""
        canvas = _crop(self.backgrounds[rng.integers(len(self.backgrounds))], rng)
        boxes: list[list[int]] = []
        masks, labels = [], []
        for label in classes:
            drawn = self._place(canvas, rng, label, boxes)
            if drawn is None:
                continue
            labels.append(label)
            masks.append(drawn)
        image = torch.from_numpy(np.array(canvas)).permute(2, 0, 1).float() / 255
        return Scene(image, torch.tensor(boxes).float(), torch.tensor(labels), torch.stack(masks))

    def random(self, rng: np.random.Generator) -> Scene:
        """A scene with one to three objects of any classes."""
        return self.draw(rng, rng.integers(1, len(self.labels), rng.integers(1, 4)).tolist())

    def twins(self, rng: np.random.Generator) -> Scene:
        """A scene with two objects of one class."""
        while True:
            scene = self.draw(rng, [int(rng.integers(1, len(self.labels)))] * 2)
            if len(scene.labels) == 2:
                return scene

    def _place(
        self, canvas: Image.Image, rng: np.random.Generator, label: int, boxes: list[list[int]]
    ) -> Tensor | None:
        """Paste an object where it touches none of the boxes; its mask, or None for no place."""
        for _ in range(TRIES):
            cutout = _varied(self.cutouts[label - 1], rng)
            left = int(rng.integers(0, SIDE - cutout.width))
            top = int(rng.integers(0, SIDE - cutout.height))
            box = [left, top, left + cutout.width, top + cutout.height]
            if (
                boxes
                and ops.box_iou(torch.tensor([box]).float(), torch.tensor(boxes).float()).any()
            ):
                continue
            canvas.paste(cutout, (left, top), cutout)
            mask = np.zeros((SIDE, SIDE), bool)
            mask[box[1] : box[3], box[0] : box[2]] = np.asarray(cutout)[:, :, 3] > 127
            boxes.append(box)
            return torch.from_numpy(mask)
        return None


def _cutout(path: Path) -> Image.Image:
    """The object alone, cut to its bounding box."""
    photo = Image.open(path).convert("RGBA")
    return photo.crop(photo.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox())


def _varied(cutout: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The object at a random size, mirrored half of the time, a little lighter or darker."""
    scale = rng.integers(SMALLEST, LARGEST) / max(cutout.size)
    size = (max(int(cutout.width * scale), 1), max(int(cutout.height * scale), 1))
    pixels: npt.NDArray[np.float32] = np.asarray(cutout.resize(size), np.float32).copy()
    pixels[:, :, :3] *= rng.uniform(0.7, 1.15)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "RGBA")


def _crop(background: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A square part of a photo, at the size of a scene."""
    side = int(rng.integers(min(background.size) // 2, min(background.size)))
    left = int(rng.integers(0, background.width - side + 1))
    top = int(rng.integers(0, background.height - side + 1))
    part = background.convert("RGB").crop((left, top, left + side, top + side))
    return part.resize((SIDE, SIDE))
