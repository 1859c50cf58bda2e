"""A picture as a PNG file that carries how it was made."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

from convscope.errors import InputError
from convscope.results.provenance import Provenance, to_text

if TYPE_CHECKING:
    from PIL.Image import Image

PNG_KEY = "convscope"
"""The keyword of the PNG text chunk that holds the provenance."""


def to_png(picture: Image, provenance: Provenance) -> bytes:
    """The bytes of a PNG with the provenance in a text chunk."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(PNG_KEY, to_text(provenance))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read_provenance(path: str | Path) -> Provenance:
    """The provenance inside a PNG that Convscope saved.

    Raises:
        InputError: the file cannot be read or carries no provenance.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            picture.load()
            text = picture.info.get(PNG_KEY)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        raise InputError(f"{path} cannot be read as a picture.") from None
    if text is None:
        raise InputError(
            f"{path} carries no provenance: it was not saved by Convscope, or a program"
            " stripped it."
        )
    return cast(Provenance, json.loads(text))
