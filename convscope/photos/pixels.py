"""Arrays and tensors as float n c h w in [0, 1]: the only place where integers become floats."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from convscope.errors import ImageError

Pixels: TypeAlias = npt.NDArray[Any]
"""An array of any type; which types are pixels is checked here."""

FLOAT_SLACK = 1e-5
"""How far rounding may carry a float image outside [0, 1]; it is clamped."""

FULL_SCALE = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}
"""The number that stands for white in each integer type."""

LIKELY_CHANNELS = (1, 3, 4)
"""Axis lengths that say "channels": gray, RGB, RGBA."""


def array_to_image(array: Pixels) -> Tensor:
    """An array (h w, h w c or n h w c, or channels first where the shape leaves no doubt).

    Raises:
        ImageError: its type, shape or values are not those of a photo.
    """
    if array.dtype.kind not in "biuf":
        raise _unknown_type(array.dtype.name, "array")
    native = np.dtype(np.float32) if array.dtype.kind == "f" else array.dtype.newbyteorder("=")
    batch = np.ascontiguousarray(_channels_first(array), dtype=native)
    return scale_pixels(torch.from_numpy(batch), array.dtype.name, "array")


def tensor_to_image(tensor: Tensor) -> Tensor:
    """A tensor (h w, c h w or n c h w).

    Raises:
        ImageError: its type, shape or values are not those of a photo.
    """
    if tensor.layout != torch.strided or tensor.is_meta:
        kind = "a meta tensor" if tensor.is_meta else "sparse"
        raise ImageError(f"The tensor is {kind}, and pixels are needed; give a dense one.")
    dtype = str(tensor.dtype).removeprefix("torch.")
    return scale_pixels(_four_axes(tensor.detach().cpu()), dtype, "tensor")


def _channels_first(array: Pixels) -> Pixels:
    """An array of 2, 3 or 4 axes as `n c h w`."""
    if array.ndim == 2:
        return array[None, None]
    if array.ndim not in (3, 4):
        raise ImageError(
            f"The array has {array.ndim} axes (shape {array.shape}); a photo has 2 (h w), 3 (h w c)"
            " or 4 (n h w c)."
        )
    batch = array if array.ndim == 4 else array[None]
    first, middle, last = batch.shape[1:]
    if last in LIKELY_CHANNELS or (first not in LIKELY_CHANNELS and last < min(first, middle)):
        return batch.transpose(0, 3, 1, 2)
    if first in LIKELY_CHANNELS or first < min(middle, last):
        return batch
    raise ImageError(
        f"The array's shape {array.shape} does not say which axis holds the channels; gray photos"
        " need one of length 1 (n h w 1), and a tensor is always read as c h w."
    )


def _four_axes(tensor: Tensor) -> Tensor:
    """A tensor of 2, 3 or 4 axes as `n c h w`."""
    shape = tuple(tensor.shape)
    if tensor.ndim not in (2, 3, 4):
        raise ImageError(
            f"The tensor has {tensor.ndim} axes (shape {shape}); a photo has 2 (h w), 3 (c h w) or"
            " 4 (n c h w)."
        )
    if (
        tensor.ndim > 2
        and shape[-1] in LIKELY_CHANNELS
        and shape[-3] > max(LIKELY_CHANNELS)
        and shape[-2] > max(LIKELY_CHANNELS)
    ):
        raise ImageError(
            f"The tensor's shape {shape} looks like h w c; tensors are read as c h w: permute it,"
            " or give a NumPy array."
        )
    return tensor.reshape((1,) * (4 - tensor.ndim) + shape)


def _unknown_type(dtype: str, what: str) -> ImageError:
    return ImageError(
        f"The {what} is of type {dtype}; pixels are uint8 (0 to 255), uint16 (0 to 65535), bool, or"
        " float in [0, 1]."
    )


def scale_pixels(values: Tensor, dtype: str, what: str) -> Tensor:
    """Pixel values of a known type as a new float32 tensor in [0, 1].

    Raises:
        ImageError: an unknown type, no pixels, NaN, or floats outside [0, 1].
    """
    if not (dtype in FULL_SCALE or values.is_floating_point()):
        raise _unknown_type(dtype, what)
    if values.numel() == 0:
        raise ImageError(f"The {what} has no pixels (shape {tuple(values.shape)}).")
    if dtype in FULL_SCALE:
        return values.to(torch.float32) / FULL_SCALE[dtype]
    low, high = float(values.min()), float(values.max())
    if math.isnan(low) or math.isnan(high):
        raise ImageError(f"The {what} holds NaN; float pixels must lie in [0, 1].")
    if low < -FLOAT_SLACK or high > 1 + FLOAT_SLACK:
        hint = "divide by 255, or give uint8" if low >= 0 and 1 < high <= 255 else "rescale it"
        raise ImageError(
            f"The {what} has values from {low:.4g} to {high:.4g}; float pixels must lie in [0, 1]:"
            f" {hint}."
        )
    return values.to(torch.float32).clamp(0, 1)
