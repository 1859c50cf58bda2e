"""What the measurements of an atlas share."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from convscope.atlas.store.summary import Summary
from convscope.photos.samples import sample

PHOTOS = ("astronaut", "cat-and-coffee", "chelsea", "coffee", "rocket")


def peak_gigabytes() -> float:
    """The largest resident memory of this process so far."""
    # Linux gives KiB.
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2)


def crops(folder: Path, count: int) -> Path:
    """Random crops of the sample photos, in a folder for each photo."""
    generator = np.random.default_rng(0)
    photos = [Image.fromarray(np.asarray(sample(name))).convert("RGB") for name in PHOTOS]
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(generator.integers(200, min(*photo.size, 400) + 1))
        left, top = (int(generator.integers(0, length - side + 1)) for length in photo.size)
        place = folder / PHOTOS[number % len(photos)] / f"{number:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + side, top + side)).save(place, quality=90)
    return folder


@contextmanager
def limited(layer: str, count: int) -> Iterator[None]:
    """Only the first units of a layer, so that a small benchmark is one."""

    # `convscope.atlas.build` is the function; the module of that name is behind it.
    module = import_module("convscope.atlas.build")
    render_jobs = vars(module)["render_jobs"]
    with patch.object(
        module,
        "render_jobs",
        lambda *args: [job for job in render_jobs(*args) if job.first < count],
    ):
        yield


def number(summary: Summary, name: str) -> float:
    """A number of a summary."""
    value = summary[name]
    assert isinstance(value, (int, float))
    return value
