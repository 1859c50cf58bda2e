"""Photos to try things on, from scikit-image's wheel: `sample:chelsea` stands for a path wherever a
photo is wanted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from convscope.errors import ImageError, suggest

PREFIX = "sample:"


def _scikit_image(name: str) -> Callable[[], npt.NDArray[np.uint8]]:
    def load() -> npt.NDArray[np.uint8]:
        from skimage import data

        photo: npt.NDArray[np.uint8] = getattr(data, name)()
        return photo

    return load


def _cat_and_coffee() -> npt.NDArray[np.uint8]:
    """A cat above, a cup of coffee below, in one square: one picture with two answers."""
    from PIL import Image

    cat = Image.fromarray(_scikit_image("chelsea")()).crop((20, 40, 440, 250))
    cup = (
        Image.fromarray(_scikit_image("coffee")())
        .crop((60, 40, 540, 280))
        .resize((420, 210), Image.Resampling.BICUBIC)
    )
    return np.concatenate([np.asarray(cat), np.asarray(cup)])


SAMPLES: dict[str, Callable[[], npt.NDArray[np.uint8]]] = {
    "astronaut": _scikit_image("astronaut"),
    "cat-and-coffee": _cat_and_coffee,
    "chelsea": _scikit_image("chelsea"),
    "coffee": _scikit_image("coffee"),
    "rocket": _scikit_image("rocket"),
}


def sample(name: str) -> npt.NDArray[np.uint8]:
    """A sample photo, h w 3, uint8.

    Raises:
        ImageError: there is no such sample.
    """
    name = name.removeprefix(PREFIX)
    if name not in SAMPLES:
        raise ImageError(f"There is no sample photo {name!r}; {suggest(name, SAMPLES)}")
    return SAMPLES[name]()
