"""A picture as a PNG file that carries how it was made."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from convscope.core.quiet import without_warnings
from convscope.errors import InputError
from convscope.results.provenance import Json, Provenance, check_provenance, to_text, versions

if TYPE_CHECKING:
    from PIL.Image import Image

    from convscope.results.arrays import Pixels

PNG_KEY = "convscope"
"""The keyword of the PNG text chunk that holds the provenance."""

PIXEL_LIMIT = 2**26
"""Pictures with more pixels are refused as decompression bombs: a grid of all channels of a layer
has a tenth of that."""


def to_png(picture: Image, provenance: Provenance) -> bytes:
    """The bytes of a PNG with the provenance in a text chunk."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(PNG_KEY, to_text(provenance))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read_provenance(path: str | Path) -> Provenance:
    """The provenance inside a PNG that Convscope saved; every part has its type.

    Raises:
        InputError: the file cannot be read, claims too many pixels, or carries no provenance.
    """
    from pydantic import ValidationError

    text = _open(path)[1]
    if text is None:
        raise InputError(
            f"{path} carries no provenance: it was not saved by Convscope, or a program"
            " stripped it."
        )
    try:
        record: Json = json.loads(text, parse_constant=_refuse)
        return check_provenance(record)
    except (ValueError, RecursionError) as error:
        where = ""
        if isinstance(error, ValidationError):
            where = f" at {'.'.join(map(str, error.errors()[0]['loc']))[:80]!a}"
        raise InputError(f"{path} carries a record that Convscope did not write{where}.") from None


def compare_pictures(path: str | Path, record: Provenance, picture: Image) -> str:
    """Whether a picture made again is the same as in the file, in a sentence; where it is not, how
    much differs and which versions do."""
    import numpy as np

    old, new = np.asarray(_open(path)[0]), np.asarray(picture.convert("RGB"))
    if np.array_equal(old, new):
        return f"The same picture as {path}, to the pixel."
    if old.shape != new.shape:
        sizes = f"{old.shape[1]} x {old.shape[0]} and {new.shape[1]} x {new.shape[0]} pixels"
        note = f"Not the same picture as {path}: {sizes}."
    else:
        note = f"Not the same picture as {path}: {_difference(old, new)}."
    before, now = record.get("versions", {}), versions()
    changes = [
        f"{name} was {before.get(name, 'missing')} and is {now.get(name, 'missing')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
    return f"{note} {'; '.join(changes) or 'All versions are the same'}."


def _difference(old: Pixels, new: Pixels) -> str:
    """How many pixels differ, and by how much."""
    import numpy as np

    gap = np.abs(old.astype(int) - new.astype(int)).max(axis=2)
    return f"{np.count_nonzero(gap):,} of {gap.size:,} pixels differ, by up to {gap.max()} of 255"


def _open(path: str | Path) -> tuple[Image, str | None]:
    """The picture of a PNG (RGB), and the text in its chunk.

    Raises:
        InputError: it cannot be read, or is a decompression bomb.
    """
    from PIL import Image, UnidentifiedImageError

    bomb = (
        f"{path} says it has more than {PIXEL_LIMIT:,} pixels and is refused as a decompression"
        " bomb."
    )
    try:
        # Pillow warns from 89 million pixels on.
        with without_warnings, Image.open(path, formats=("PNG",)) as picture:
            if math.prod(picture.size) > PIXEL_LIMIT:
                raise InputError(bomb)
            picture.load()
            text = picture.info.get(PNG_KEY)
            return picture.convert("RGB"), None if text is None else str(text)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except Image.DecompressionBombError:
        raise InputError(bomb) from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path} cannot be read as a picture that Convscope saved: it is no PNG."
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as a picture.") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
