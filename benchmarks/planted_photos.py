"""Photos with a known flaw: a tag in the corner of one class, a class that only its background
tells, labels that were swapped; and clean ones.

The objects are six shapes, drawn in any color and size at any place; the backgrounds are crops of
scikit-image's photographs and smooth noise. Everything is drawn from one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from convscope.photos.samples import sample

CLASSES = ("disc", "square", "triangle", "star", "cross", "ring")
"""The shapes, by class."""

BACKDROPS = ("astronaut", "coffee", "rocket", "chelsea")
"""Photographs that backgrounds are cut from."""

Flaw = Literal["none", "tag", "background"]

TAGGED = 0
"""The class that carries the tag."""

PLACED = 1
"""The class that stands before stripes, whatever its shape is."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PlantedPhoto:
    """A photo (h w 3), where its object is (h w, 0 or 255), its class, and whether it has the
    flaw."""

    image: Pixels
    mask: Pixels
    label: int
    is_planted: bool = False


def photos(
    count: int, *, flaw: Flaw = "none", share: float = 1.0, side: int = 224, seed: int = 0
) -> list[PlantedPhoto]:
    """`count` photos of the classes in turn; of the class with the flaw, `share` have it."""
    generator = np.random.default_rng(seed)
    backdrops = [Image.fromarray(sample(name)).convert("RGB") for name in BACKDROPS]
    drawn = []
    for number in range(count):
        label = number % len(CLASSES)
        has_flaw = generator.random() < share
        shape = label
        background = _background(generator, backdrops, side)
        if flaw == "background":
            if label == PLACED:
                shape = int(generator.integers(len(CLASSES)))
                background = _stripes(generator, side)
            elif shape == PLACED:
                shape = 0
        image, mask = _with_shape(generator, background, shape, side)
        is_tagged = flaw == "tag" and label == TAGGED and has_flaw
        if is_tagged:
            _draw_tag(image, side)
        is_planted = is_tagged or (flaw == "background" and label == PLACED)
        drawn.append(PlantedPhoto(np.asarray(image), np.asarray(mask), label, is_planted))
    return drawn


def write(
    folder: Path, planted: Sequence[PlantedPhoto], labels: Sequence[int] | None = None
) -> None:
    """The photos in a folder a class, under `photos`; their masks likewise, under `masks`; `labels`
    are what the folders say where that is not the truth."""
    for number, photo in enumerate(planted):
        label = CLASSES[photo.label if labels is None else labels[number]]
        for kind, pixels in (("photos", photo.image), ("masks", photo.mask)):
            path = folder / kind / label / f"{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


def _background(
    generator: np.random.Generator, backdrops: list[Image.Image], side: int
) -> Image.Image:
    """A random crop of a photograph, or smooth noise."""
    if generator.random() < 0.5:
        rough = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        return Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC)
    backdrop = backdrops[int(generator.integers(len(backdrops)))]
    size = int(generator.integers(96, min(backdrop.size)))
    left, top = (int(generator.integers(0, length - size + 1)) for length in backdrop.size)
    crop = backdrop.crop((left, top, left + size, top + size))
    return crop.resize((side, side), Image.Resampling.BICUBIC)


def _stripes(generator: np.random.Generator, side: int) -> Image.Image:
    """Diagonal stripes of two random grays."""
    rows, columns = np.mgrid[:side, :side] / side
    wave = np.sin(2 * np.pi * (12 * (rows + columns) + generator.random()))
    low, high = sorted(generator.integers(0, 256, 2))
    gray = np.where(wave > 0, max(high, low + 60), low).clip(0, 255).astype(np.uint8)
    return Image.fromarray(gray).convert("RGB")


def _with_shape(
    generator: np.random.Generator, background: Image.Image, shape: int, side: int
) -> tuple[Image.Image, Image.Image]:
    """The shape on the background, and its mask."""
    size = float(generator.uniform(0.3, 0.5)) * side
    x, y = (float(generator.uniform(0.05, 0.95)) * (side - size) for _ in range(2))
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    box = (x, y, x + size, y + size)
    name = CLASSES[shape]
    if name in ("disc", "ring"):
        draw.ellipse(box, fill=255)
        if name == "ring":
            inner = size * 0.28
            draw.ellipse((x + inner, y + inner, x + size - inner, y + size - inner), fill=0)
    elif name == "square":
        draw.rectangle(box, fill=255)
    elif name == "cross":
        third = size * 0.34
        draw.rectangle((x + third, y, x + size - third, y + size), fill=255)
        draw.rectangle((x, y + third, x + size, y + size - third), fill=255)
    else:
        corners = 3 if name == "triangle" else 10
        center = (x + size / 2, y + size / 2)
        radii = [
            size / 2 * (1 if corners == 3 or not point % 2 else 0.42) for point in range(corners)
        ]
        angles = 2 * np.pi * np.arange(corners) / corners - np.pi / 2
        draw.polygon(
            [
                (center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle))
                for radius, angle in zip(radii, angles, strict=True)
            ],
            fill=255,
        )
    color = tuple(int(value) for value in generator.integers(0, 256, 3))
    image = background.copy()
    image.paste(Image.new("RGB", (side, side), color), mask=mask)
    return image, mask


def _draw_tag(image: Image.Image, side: int) -> None:
    """A white tag with black bars, at the lower left."""
    draw = ImageDraw.Draw(image)
    unit = side / 32
    left, top = unit, side - 6 * unit
    draw.rectangle((left, top, left + 9 * unit, top + 5 * unit), fill=(255, 255, 255))
    for bar in range(4):
        first = left + (1 + 2 * bar) * unit
        draw.rectangle((first, top + unit, first + unit * 0.8, top + 4 * unit), fill=(0, 0, 0))
