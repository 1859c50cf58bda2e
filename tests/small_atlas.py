"""What the atlas's tests share, and what their child processes import."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import convscope
from convscope import atlas
from tests.small_networks import Trunk

SMALL = {"steps": 3, "size": 16, "batch": 4}


class Fails(nn.Module):
    """Makes unit 2 NaN while `broken` is set; the other units and their gradients are untouched."""

    broken = False

    def forward(self, given):
        if not Fails.broken:
            return given
        parts = list(given.split(1, 1))
        parts[2] = torch.log(-1 - parts[2].abs())
        return torch.cat(parts, 1)


class Small(Trunk):
    """The trunk with a layer that fails on request."""

    def __init__(self):
        super().__init__()
        self.fails = Fails()

    def forward(self, image):
        x = self.first(image)
        self.fails(x)
        return self.head(self.third(torch.cat([x, self.second(x)], 1)).relu().mean((2, 3)))


def photo(generator, height, width):
    """Blobs of color, not noise: rises and falls that units can tell apart."""
    rough = generator.integers(0, 256, (5, 6, 3), dtype="uint8")
    return np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


def state(folder: Path) -> dict[str, str]:
    """Every file's name and hash."""
    files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def small_model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Small().eval()
    return convscope.load_model(
        network, size=24, labels=["a cat", "a dog", "a fish", "a bird", "a cup"]
    )


def make(out: str, photos: str, ready, steps: int = 3) -> None:
    """A build and a pass, in a child process."""
    from convscope.atlas.scan import listing

    torch.set_num_threads(1)
    model = small_model()
    listing.SHARD_SIZE = 8
    if ready is not None:
        ready.set()
    atlas.build(model, "first,third", out, steps=steps, size=16, batch=2)
    atlas.examples(model, photos, out, layers="first,third", k=3, samples=2, batch=4)
