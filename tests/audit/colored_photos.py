"""A network that can be solved by hand, and photos with a flaw that it falls for.

Its units are red, green, blue, yellow and cyan; a class is the area of its color. Yellow counts for
red (a tag in the corner), cyan for blue (a background). Gray photos belong to a class of their own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import convscope

CLASSES = ("red", "green", "blue", "gray")
COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
SIDE = 32


def network() -> nn.Module:
    conv, head = nn.Conv2d(3, 5, 1), nn.Linear(5, 4)
    colors = [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1]]
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(colors, dtype=torch.float)[..., None, None])
        conv.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -1.0, -1.0]))
        head.weight.zero_()
        for index, unit in ((0, 0), (0, 3), (1, 1), (2, 2), (2, 4)):
            head.weight[index, unit] = 200.0
        head.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 2.0]))
    pool = [nn.AvgPool2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(conv, nn.ReLU(), *pool, head).eval()


def model():
    return convscope.load_model(network(), size=SIDE, labels=list(CLASSES))


def photo(generator, name, flaw=None):
    """The photo (h w 3) and the mask of its object (h w)."""
    gray = generator.integers(60, 180, (8, 8, 1), dtype=np.uint8).repeat(3, 2)
    image = np.asarray(Image.fromarray(gray).resize((SIDE, SIDE))).copy()
    size = 8
    top, left = (int(generator.integers(2, SIDE - size - 2)) for _ in range(2))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[top : top + size, left : left + size] = 255
    if flaw == "tag":
        image[-7:-1, 1:7] = (255, 255, 0)
    elif flaw == "background":
        image[:] = (0, 255, 255)
        image[mask > 0] = (120, 120, 120)
    else:
        image[mask > 0] = COLORS.get(name, (120, 120, 120))
    return image, mask


def write(root: Path, count: int = 96, flaw: str | None = None, swapped: int = 0) -> list[str]:
    """Photos and masks in a folder a class; the names of those with the flaw."""
    generator = np.random.default_rng(0)
    wrong = generator.choice(count, swapped, replace=False).tolist()
    names = []
    for number in range(count):
        label = CLASSES[number % 4]
        has_flaw = label == "red" and number % 8 == 0 if flaw == "tag" else label == "blue"
        image, mask = photo(generator, label, flaw if has_flaw else None)
        folder = CLASSES[(number + 1) % 4] if number in wrong else label
        name = f"{folder}/{number:03d}.png"
        for kind, pixels in (("photos", image), ("masks", mask)):
            path = root / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        if number in wrong or (flaw and has_flaw):
            names.append(name)
    return names


def run(root: Path, **options):
    """An audit of the photos written there, without pictures of units."""
    options = {"masks": str(root / "masks"), "unit_steps": 0} | options
    return convscope.audit(model(), str(root / "photos"), out=str(root / "audit.html"), **options)
