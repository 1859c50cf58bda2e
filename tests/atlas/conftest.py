"""A small network whose third unit can be made to fail, and a folder of small photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope import atlas
from tests.small_atlas import SMALL, Small, photo


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Small().eval()


@pytest.fixture
def model(network):
    return convscope.load_model(
        network, size=24, labels=["a cat", "a dog", "a fish", "a bird", "a cup"]
    )


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """48 photos in two folders, and one that is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(48):
        place = folder / ("cats" if number % 3 else "dogs") / f"{number:02d}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(photo(generator, 24 + number % 5, 30)).save(place)
    (folder / "cats" / "05-broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (folder / "cats" / "notes.txt").write_text("not a photo")
    return folder


@pytest.fixture
def built(model, tmp_path):
    """A small atlas."""
    out = tmp_path / "atlas"
    atlas.build(model, "first,third,head", str(out), **SMALL)
    return out
