"""A photo, however it comes, as float NCHW in [0, 1]."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor

from convscope.core.ranges import Side
from convscope.core.validation import checked
from convscope.errors import ImageError, OptionError
from convscope.photos import samples
from convscope.photos.decode import check_file, decode_image, pil_to_image
from convscope.photos.pixels import Pixels, array_to_image, tensor_to_image
from convscope.photos.resize import resize_shorter_and_crop

Photo: TypeAlias = str | Path | bytes | bytearray | Image.Image | Pixels | Tensor
"""One photo: a path, the bytes of a file, a PIL image, an array or a tensor."""

PhotoLike: TypeAlias = Photo | Sequence["PhotoLike"]
"""One photo or several, in lists as they come."""


@checked()
def load_image(
    *sources: PhotoLike, size: Side | tuple[Side, Side] | None = None, background: str = "white"
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


def load_photos(photo: PhotoLike, *, background: str = "white") -> list[Tensor]:
    """Read one photo or a (nested) list of photos of any sizes: one float32 `1 c h w` tensor in [0,
    1] for each.

    Raises:
        ImageError: a photo that cannot be read, or no photo at all.
        OptionError: a background that is no color.
    """
    return [image for _, image in load_named_photos(photo, background=background)]


def load_named_photos(
    photo: PhotoLike, *, background: str = "white"
) -> list[tuple[str | None, Tensor]]:
    """`load_photos`, with the absolute path or the sample's name of each; None for one from
    memory."""
    try:
        behind = ImageColor.getrgb(background)[:3]
    except ValueError:
        raise OptionError(
            f"The background {background!r} is not a color; give a name such as 'white', or"
            " '#rrggbb'."
        ) from None
    try:
        sources = list(_flat(photo))
    except RecursionError:
        raise ImageError(
            "The list of photos contains itself; give a list of paths, PIL images, arrays or"
            " tensors."
        ) from None
    with torch.inference_mode(False):
        photos = [
            (_name(source), image)
            for source in sources
            for image in torch.split(_read(source, behind), 1)
        ]
    if not photos:
        raise ImageError("No photo was given; give a path, a PIL image, an array or a tensor.")
    return photos


def _flat(photo: PhotoLike) -> Iterator[Photo]:
    """The single photos of a nested list."""
    if isinstance(photo, (list, tuple)):
        for entry in photo:
            yield from _flat(entry)
    else:
        yield photo  # type: ignore[misc]  # a Sequence that is no list is refused by `_read`


def _name(photo: Photo) -> str | None:
    if not isinstance(photo, (str, Path)):
        return None
    is_sample = str(photo).startswith(samples.PREFIX)
    return str(photo) if is_sample else str(Path(photo).resolve())


def _read(photo: Photo, background: tuple[int, ...]) -> Tensor:
    """One photo as float `n c h w`."""
    if isinstance(photo, str) and photo.startswith(samples.PREFIX):
        return array_to_image(samples.sample(photo))
    if isinstance(photo, (str, Path)):
        return decode_image(check_file(Path(photo)), str(photo), background)
    if isinstance(photo, (bytes, bytearray)):
        return decode_image(io.BytesIO(photo), "The data", background)
    if isinstance(photo, Image.Image):
        return pil_to_image(photo, "The PIL image", background)
    if isinstance(photo, np.ndarray):
        return array_to_image(photo)
    if isinstance(photo, Tensor):
        return tensor_to_image(photo)
    raise ImageError(
        f"A photo cannot be made from {type(photo).__name__}; give a path, a PIL image, an array"
        " or a tensor."
    )
