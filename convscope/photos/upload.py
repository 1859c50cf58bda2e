"""Photos that strangers send: bounded before they are decoded, in memory, read as files are."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError
from torch import Tensor

from convscope.core.quiet import without_warnings
from convscope.errors import ImageError
from convscope.photos.decode import READABLE, decode_image

WHITE = (255, 255, 255)
"""Behind transparent pixels, as `load_image` has it."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
"""Only these of Pillow's decoders ever see bytes that were sent."""


def decode_upload(data: bytes, *, most_pixels: int) -> Tensor:
    """A photo that came over a connection, as `load_image` gives it (1 3 h w in [0, 1]).

    What the file says beside its pixels (EXIF, GPS, comments, profiles) is dropped; the EXIF
    orientation is applied first.

    Raises:
        ImageError: no photo in one of the usual formats, damaged, or more than `most_pixels`.
    """
    if not data:
        raise ImageError(f"The photo is empty (0 bytes); give {READABLE}.")
    try:
        with without_warnings, Image.open(io.BytesIO(data), formats=FORMATS) as photo:
            width, height = photo.size
    except UnidentifiedImageError:
        raise ImageError(f"This is not a photo that can be read; give {READABLE}.") from None
    except Image.DecompressionBombError:
        raise ImageError("The photo is refused as a decompression bomb; make it smaller.") from None
    # a decoder may raise anything on a damaged file
    except Exception:
        raise ImageError("The photo is damaged and cannot be read; save it again.") from None
    if width * height > most_pixels:
        raise ImageError(
            f"The photo has {height} x {width} pixels, more than {most_pixels:,}; make it smaller."
        )
    return decode_image(io.BytesIO(data), "The photo", WHITE)
