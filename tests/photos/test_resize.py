"""Resizing and cropping, beside Pillow, timm and torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from convscope.photos.load_image import load_image
from convscope.photos.resize import resize, resize_shorter_and_crop, visible_box
from tests.photos.expected import as_tensor


@pytest.fixture(scope="module")
def chelsea() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.chelsea())


@pytest.mark.parametrize("size", [(224, 336), (97, 61), (600, 900), (300, 100)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest"])
def test_resize_is_pillows(chelsea: Image.Image, size: tuple[int, int], interpolation: str) -> None:
    drawn = chelsea.resize((size[1], size[0]), Image.Resampling[interpolation.upper()])
    ours = resize(load_image(chelsea), size, interpolation)  # type: ignore[arg-type]
    assert (ours - as_tensor(np.asarray(drawn))).abs().max() <= 2 / 255
    assert ours.min() >= 0
    assert ours.max() <= 1


def test_resize_is_pillows_at_hard_edges() -> None:
    squares = Image.fromarray((np.indices((60, 60)) // 7 % 2).sum(0).astype(np.uint8) % 2 * 255)
    ours = resize(load_image(squares), (101, 83))
    assert (
        ours[0, 0] * 255
        - torch.tensor(np.asarray(squares.resize((83, 101), Image.Resampling.BICUBIC)))
    ).abs().max() <= 2


@pytest.mark.parametrize(
    ("size", "crop"),
    [
        ((224, 224), 0.875),
        ((224, 224), 1.0),
        ((150, 150), 0.9),
        ((192, 256), 0.875),
        ((64, 200), 1.0),
    ],
)
@pytest.mark.parametrize("shape", [(451, 300), (300, 451), (97, 64), (1000, 350)])
def test_crop_is_timms(
    chelsea: Image.Image, size: tuple[int, int], crop: float, shape: tuple[int, int]
) -> None:
    from timm.data import create_transform

    photo = chelsea.resize(shape)
    theirs = create_transform(
        (3, *size), interpolation="bicubic", crop_pct=crop, mean=(0, 0, 0), std=(1, 1, 1)
    )(photo)
    assert (resize_shorter_and_crop(load_image(photo), size, crop) - theirs).abs().max() <= 2 / 255


def test_crop_is_torchvisions(chelsea: Image.Image) -> None:
    from torchvision.transforms import v2

    theirs = v2.Compose(
        [v2.Resize(256, interpolation=v2.InterpolationMode.BILINEAR), v2.CenterCrop(224)]
    )(chelsea)
    ours = resize_shorter_and_crop(load_image(chelsea), (224, 224), 0.875, "bilinear")
    assert (ours - as_tensor(np.asarray(theirs))).abs().max() <= 2 / 255


def test_the_visible_box() -> None:
    # 300 x 451 to 256 x 384 (int of 384.85), then 224 x 224 from (16, 80).
    box = visible_box(300, 451, (224, 224), 0.875)
    assert box == pytest.approx((16 * 300 / 256, 80 * 451 / 384, 224 * 300 / 256, 224 * 451 / 384))
    assert visible_box(224, 224, (224, 224), 0.875) == (0, 0, 224, 224)
    assert visible_box(400, 400, (200, 200)) == (0, 0, 400, 400)
    image = torch.rand(1, 3, 224, 224)
    assert resize_shorter_and_crop(image, (224, 224), 0.875) is image
