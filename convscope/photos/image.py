"""A photo, however it comes, as float NCHW in [0, 1]: the only place where uint8 becomes float."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.errors import ImageError, OptionError
from convscope.photos import samples

PhotoSource: TypeAlias = str | Path | bytes | Image.Image | npt.NDArray[Any] | Tensor
"""One photo: a path, the bytes of a file, a PIL image, an array or a tensor."""

Photos: TypeAlias = PhotoSource | Sequence[PhotoSource]
"""One photo or several."""

Interpolation: TypeAlias = Literal["bicubic", "bilinear", "nearest"]

PIXEL_LIMIT = 128 * 1024**2
"""Photos with more pixels are refused as decompression bombs. Between Pillow's warning (89 million)
and its error (179 million), and above the 102 million of the largest camera sensors sold."""

FLOAT_SLACK = 1e-5
"""How far rounding may carry a float image outside [0, 1]; it is clamped."""

FULL_SCALE = {"bool": 1.0, "uint8": 255.0, "uint16": 65535.0}
"""The number that stands for white in each integer type."""

LIKELY_CHANNELS = (1, 3, 4)
"""Axis lengths that say "channels": gray, RGB, RGBA."""

READABLE = "JPEG, PNG, WebP, GIF, TIFF or BMP"

_DEEP_GRAY = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
"""Pillow's modes with more than 8 bits, all gray, which its own `convert("RGB")` would cut off at
255."""


def load_image(
    *sources: Photos, size: int | tuple[int, int] | None = None, background: str = "white"
) -> Tensor:
    """Read one photo, or several of one size as a batch: float32, `n c h w`, in [0, 1], on the CPU.

    Files and PIL images always give three channels: gray is repeated, CMYK and palettes are
    converted, transparency is laid over `background`, 16 bits are scaled, the EXIF orientation is
    applied; of an animation or a document, the first frame or page. Arrays (`h w c`, `h w`, `n h w
    c`, or channels first where the shape leaves no doubt) and tensors (`c h w`, `n c h w`) keep
    their channels, so that digits and multispectral images pass unchanged; a fourth channel of an
    array is a channel, not transparency. They are uint8, uint16, bool, or float in [0, 1].

    Args:
        size: height and width, or one number for both: resize the shorter side and crop the center.
        background: the color behind transparent pixels, as a name or "#rrggbb".

    Raises:
        ImageError: a photo that cannot be read, or photos of different sizes without `size`.
        OptionError: a background that is no color, or a size below 1.

    Example:
        photo = load_image("cat.jpg", "dog.png", size=224)  # 2 3 224 224
    """
    photos = load_photos(sources, background=background)
    if size is not None:
        wanted = (size, size) if isinstance(size, int) else size
        with torch.inference_mode(False):
            photos = [resize_shorter_and_crop(photo, wanted) for photo in photos]
    shapes = sorted({tuple(photo.shape[1:]) for photo in photos})
    if len({shape[0] for shape in shapes}) > 1:
        counts = " and ".join(str(count) for count in sorted({shape[0] for shape in shapes}))
        raise ImageError(
            f"The photos have {counts} channels; photos in one batch must have the same number."
        )
    if len(shapes) > 1:
        sizes = ", ".join(f"{height} x {width}" for _, height, width in shapes[:5]) + (
            " ..." if len(shapes) > 5 else ""
        )
        raise ImageError(
            f"The photos have different sizes ({sizes}); pass size= to make them equal, or give the"
            " verb the list: it resizes each."
        )
    with torch.inference_mode(False):
        return torch.cat(photos)


def load_photos(photo: Photos | Sequence[Photos], *, background: str = "white") -> list[Tensor]:
    """Read one photo or a (nested) list of photos of any sizes: one float32 `1 c h w` tensor in [0,
    1] for each.

    Raises:
        ImageError: a photo that cannot be read, or no photo at all.
        OptionError: a background that is no color.
    """
    try:
        behind = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise OptionError(
            f"The background {background!r} is not a color; give a name such as 'white', or"
            " '#rrggbb'."
        ) from None
    with torch.inference_mode(False):
        photos = [
            image for source in _flat(photo) for image in torch.split(_read(source, behind), 1)
        ]
    if not photos:
        raise ImageError("No photo was given; give a path, a PIL image, an array or a tensor.")
    return photos


def fingerprint(image: Tensor) -> str:
    """SHA-256 of an image's shape and of its pixels rounded to 8 bits: what a provenance knows a
    photo by."""
    pixels = (
        image.detach().cpu().mul(255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
    )
    return hashlib.sha256(repr(tuple(image.shape)).encode() + pixels.tobytes()).hexdigest()


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


def _flat(photo: Any) -> Iterator[Any]:
    """The single photos of a nested list."""
    if isinstance(photo, (list, tuple)):
        for entry in photo:
            yield from _flat(entry)
    else:
        yield photo


def _read(source: Any, background: tuple[int, ...]) -> Tensor:
    """One source as float `n c h w`."""
    if isinstance(source, str) and source.startswith(samples.PREFIX):
        source = samples.sample(source)
    if isinstance(source, (str, Path)):
        return _decode(_check_file(Path(source)), str(source), background)
    if isinstance(source, (bytes, bytearray)):
        return _decode(io.BytesIO(source), "The data", background)
    if isinstance(source, Image.Image):
        return _pil(source, "The PIL image", background)
    if isinstance(source, np.ndarray):
        if source.dtype.kind not in "biuf":
            return _scaled(None, source.dtype.name, "array")
        native = (
            np.dtype(np.float32) if source.dtype.kind == "f" else source.dtype.newbyteorder("=")
        )
        return _scaled(
            torch.from_numpy(np.ascontiguousarray(_channels_first(source), dtype=native)),
            source.dtype.name,
            "array",
        )
    if isinstance(source, Tensor):
        return _scaled(
            _four_axes(source.detach().cpu()), str(source.dtype).removeprefix("torch."), "tensor"
        )
    raise ImageError(
        f"A photo cannot be made from {type(source).__name__}; give a path, a PIL image, an array"
        " or a tensor."
    )


def _check_file(path: Path) -> Path:
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


def _decode(file: Path | io.BytesIO, name: str, background: tuple[int, ...]) -> Tensor:
    """An encoded file as float `1 3 h w`."""
    try:
        # Pillow warns from 89 million pixels on; the check in `_pil` decides, at PIXEL_LIMIT,
        # before anything is decoded.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            photo = Image.open(file)
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
        return _pil(photo, name, background)


def _pil(photo: Image.Image, name: str, background: tuple[int, ...]) -> Tensor:
    """A PIL image, perhaps not yet decoded, as float `1 3 h w`."""
    if min(photo.size) < 1:
        raise ImageError(f"{name} has no pixels (height {photo.height}, width {photo.width}).")
    if math.prod(photo.size) > PIXEL_LIMIT:
        raise ImageError(
            f"{name} has {photo.height} x {photo.width} pixels, more than {PIXEL_LIMIT:,}, "
            "and is refused as a decompression bomb; make it smaller."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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
    return _scaled(torch.from_numpy(pixels.astype(np.float32))[None, None], "float32", name).repeat(
        1, 3, 1, 1
    )


def _flatten(photo: Image.Image, background: tuple[int, ...]) -> Image.Image:
    """8-bit RGB, transparency laid over the background."""
    if "A" in photo.getbands() or "a" in photo.getbands() or "transparency" in photo.info:
        behind = Image.new("RGBA", photo.size, (*background, 255))
        photo = Image.alpha_composite(behind, photo.convert("RGBA"))
    return photo.convert("RGB")


def _channels_first(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
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


def _scaled(values: Tensor | None, dtype: str, what: str) -> Tensor:
    """Pixel values of a known type as a new float32 tensor in [0, 1]."""
    if values is None or not (dtype in FULL_SCALE or values.is_floating_point()):
        raise ImageError(
            f"The {what} is of type {dtype}; pixels are uint8 (0 to 255), uint16 (0 to 65535),"
            " bool, or float in [0, 1]."
        )
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


def _reason(error: Exception) -> str:
    """What a foreign error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
