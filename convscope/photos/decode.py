"""Encoded files and PIL images as float 1 3 h w in [0, 1]."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from convscope.core.quiet import without_warnings
from convscope.errors import ImageError
from convscope.photos.limits import PIXEL_LIMIT, pixel_limit
from convscope.photos.pixels import scale_pixels

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
"""The formats that are read. Pillow knows forty more, and some of them start other programs
(PostScript starts Ghostscript)."""

READABLE = "JPEG, PNG, WebP, GIF, TIFF or BMP"

_DEEP_GRAY = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
"""Pillow's modes with more than 8 bits, all gray, which its own `convert("RGB")` would cut off at
255."""


def check_file(path: Path) -> Path:
    """The path of a file that has something in it, or one sentence on why it has not."""
    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder, not a photo; name a file in it.")
        if not path.exists():
            hint = (
                "download it first"
                if str(path).startswith(("http:", "https:"))
                else "check the path"
            )
            raise ImageError(f"There is no file {path}; {hint}.")
        if not path.is_file():
            raise ImageError(f"{path} is not a regular file; name a photo ({READABLE}).")
        if path.stat().st_size == 0:
            raise ImageError(f"{path} is empty (0 bytes); name a photo ({READABLE}).")
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(
            f"{str(path)[:200]!r} cannot be read ({_reason(error)}); check the path."
        ) from None
    return path


def decode_image(file: Path | io.BytesIO, name: str, background: tuple[int, ...]) -> Tensor:
    """An encoded file as float `1 3 h w`."""
    try:
        # Pillow warns from 89 million pixels on; `pil_to_image` decides, at PIXEL_LIMIT, before
        # anything is decoded.
        with without_warnings:
            photo = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not a photo that can be read; give {READABLE}.") from None
    except PermissionError as error:
        raise ImageError(
            f"{name} cannot be opened ({error.strerror}); check its permissions."
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"{name} says it has more than {PIXEL_LIMIT:,} pixels and is refused as a decompression"
            " bomb; make it smaller."
        ) from None
    # a decoder may raise anything on a damaged file; this is the border where it becomes ours
    except Exception as error:
        raise ImageError(
            f"{name} is damaged and cannot be read ({_reason(error)}); save it again."
        ) from None
    with photo:
        return pil_to_image(photo, name, background)


def pil_to_image(photo: Image.Image, name: str, background: tuple[int, ...]) -> Tensor:
    """A PIL image, perhaps not yet decoded, as float `1 3 h w`."""
    if min(photo.size) < 1:
        raise ImageError(f"{name} has no pixels (height {photo.height}, width {photo.width}).")
    limit = pixel_limit(math.prod(photo.size))
    if math.prod(photo.size) > limit:
        reason = (
            "and is refused as a decompression bomb"
            if limit == PIXEL_LIMIT
            else "which is all that fits into the memory that is free"
        )
        raise ImageError(
            f"{name} has {photo.height} x {photo.width} pixels, more than {limit:,},"
            f" {reason}; make it smaller."
        )
    try:
        with without_warnings:
            photo.load()
            upright = ImageOps.exif_transpose(photo)
            pixels = np.asarray(
                upright if upright.mode in _DEEP_GRAY else _flatten(upright, background)
            )
    except Exception as error:
        hint = (
            "it is cut short"
            if "truncated" in str(error).lower()
            else f"it is damaged: {_reason(error)}"
        )
        raise ImageError(f"{name} cannot be read ({hint}); save or copy it again.") from None
    if pixels.ndim == 3:
        return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32)).div_(255)
    if pixels.dtype.kind != "f":
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ImageError(
                f"{name} has values from {pixels.min()} to {pixels.max()}; whole numbers must lie"
                " in 0 to 65535."
            )
        pixels = pixels.astype(np.float32) / np.float32(65535)
    return scale_pixels(
        torch.from_numpy(pixels.astype(np.float32))[None, None], "float32", name
    ).repeat(1, 3, 1, 1)


def _flatten(photo: Image.Image, background: tuple[int, ...]) -> Image.Image:
    """8-bit RGB, transparency laid over the background."""
    if "A" in photo.getbands() or "a" in photo.getbands() or "transparency" in photo.info:
        behind = Image.new("RGBA", photo.size, (*background, 255))
        photo = Image.alpha_composite(behind, photo.convert("RGBA"))
    return photo.convert("RGB")


def _reason(error: Exception) -> str:
    """What a foreign error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
