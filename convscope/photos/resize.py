"""Resizing and center crops as Pillow, torchvision and timm do them."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn.functional import interpolate

from convscope.errors import ImageError, OptionError
from convscope.photos.limits import PIXEL_LIMIT

Interpolation: TypeAlias = Literal["bicubic", "bilinear", "nearest"]


def resize(
    image: Tensor, size: tuple[int, int], interpolation: Interpolation = "bicubic"
) -> Tensor:
    """Resize `n c h w` to `size` (height, width) as Pillow does, antialiased; the result stays in
    [0, 1].

    Like Pillow, and unlike one call of `interpolate`, the overshoot of the bicubic filter is
    clamped after each axis: at the border of a white area that is a difference one can see.
    """
    for axis_size in ((image.shape[-2], size[1]), size):
        if tuple(image.shape[-2:]) == tuple(axis_size):
            continue
        if interpolation == "nearest":
            image = interpolate(image, axis_size, mode="nearest-exact")
        else:
            image = interpolate(
                image, axis_size, mode=interpolation, align_corners=False, antialias=True
            ).clamp(0, 1)
    return image


def resize_shorter_and_crop(
    image: Tensor,
    size: tuple[int, int],
    crop_fraction: float = 1.0,
    interpolation: Interpolation = "bicubic",
) -> Tensor:
    """Resize `n c h w` so that it just covers `size / crop_fraction`, then crop `size` (height,
    width) from the center.

    These are the steps torchvision and timm evaluate with, for square and other sizes. An image
    that has the size already is returned as it is.

    Raises:
        ImageError: an image so narrow that it would have to be blown up beyond `PIXEL_LIMIT`.
        OptionError: a size below 1, or a fraction outside (0, 1].
    """
    height, width = image.shape[-2:]
    if (height, width) == tuple(size):
        return image
    covering = _covering(height, width, size, crop_fraction)
    if math.prod(covering) > PIXEL_LIMIT:
        raise ImageError(
            f"The photo has {height} x {width} pixels, too narrow to be cut to {size[0]} x"
            f" {size[1]}; crop it first."
        )
    top, left = _corner(covering, size)
    return resize(image, covering, interpolation)[
        ..., top : top + size[0], left : left + size[1]
    ].contiguous()


def visible_box(
    height: int, width: int, size: tuple[int, int], crop_fraction: float = 1.0
) -> tuple[float, float, float, float]:
    """The part of a photo that `resize_shorter_and_crop` keeps: top, left, height and width in the
    photo's pixels."""
    if (height, width) == tuple(size):
        return 0.0, 0.0, float(height), float(width)
    covering = _covering(height, width, size, crop_fraction)
    top, left = _corner(covering, size)
    vertical, horizontal = height / covering[0], width / covering[1]
    return top * vertical, left * horizontal, size[0] * vertical, size[1] * horizontal


def _covering(
    height: int, width: int, size: tuple[int, int], crop_fraction: float
) -> tuple[int, int]:
    """The size to resize to before cropping; torchvision cuts the longer side off to whole pixels,
    timm rounds it."""
    if min(size) < 1:
        raise OptionError(
            f"The size {size[0]} x {size[1]} is not one a photo can have; both must be at least 1."
        )
    if not 0 < crop_fraction <= 1:
        raise OptionError(
            f"crop_fraction must be above 0 and at most 1, but {crop_fraction} was given."
        )
    wanted = (math.floor(size[0] / crop_fraction), math.floor(size[1] / crop_fraction))
    if wanted[0] == wanted[1]:
        longer = int(wanted[0] * max(height, width) / min(height, width))
        return (wanted[0], longer) if height <= width else (longer, wanted[0])
    ratio = min(height / wanted[0], width / wanted[1])
    return round(height / ratio), round(width / ratio)


def _corner(covering: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Top and left of the center crop, rounded as torchvision rounds."""
    return round((covering[0] - size[0]) / 2.0), round((covering[1] - size[1]) / 2.0)
