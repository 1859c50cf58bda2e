"""Pages with everything inlined: their style, their template, and pictures as data URIs."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from markupsafe import Markup

from convscope.core.text import visible
from convscope.errors import OutputError
from convscope.results.arrays import Pixels
from convscope.results.pictures import to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTO_SIDE = 640
"""Longest side of a photo on a page; it is shown at half of that on most screens."""

STYLE = Path(__file__).with_name("page.css")


ENDING = ".html"


def check_page(out: str | Path) -> Path:
    """The path of a page that is still to be made, before the work on it.

    Raises:
        OutputError: another ending, a folder, or a place that cannot be written.
    """
    page = Path(out)
    if page.suffix.lower() != ENDING:
        raise OutputError(f"A page is HTML: {out} must end in {ENDING}.")
    if os.path.isdir(page):
        raise OutputError(f"{out} is a folder; give the name of a page.")
    parent = next(place for place in page.absolute().parents if os.path.exists(place))
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK):
        raise OutputError(f"{out} cannot be written: {parent} is not a folder to write in.")
    return page


def render_page(template: Path, values: dict[str, object]) -> bytes:
    """A page from its template, which extends `page.html`, in UTF-8; what comes from photos and
    labels is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, STYLE.parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    # The style is ours, so it is markup.
    style = Markup(STYLE.read_text(encoding="utf-8"))
    text = environment.get_template(template.name).render(style=style, **values)
    return visible(text).encode()


def picture_of(pixels: Pixels) -> Image:
    """Pixels (h w c) as an RGB picture."""
    from PIL import Image

    return Image.fromarray(to_rgb(np.ascontiguousarray(pixels)))


def data_uri(picture: Image, longest: int = PHOTO_SIDE, *, lossless: bool = False) -> str:
    """A picture as a data URI, no larger than it is shown."""
    picture = picture.convert("RGB")
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=88)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
