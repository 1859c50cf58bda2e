"""The part of a photo that was asked about, drawn on it: white between dark lines, so that it shows
on any color."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from convscope.results.details import Box, MapDetails
from convscope.results.pictures.colors import Map
from convscope.results.result import Result

LIGHT, DARK = "#ffffff", "#101010"
RADIUS = 7
"""Of the ring around a pixel, in pixels of the picture."""

THIN, WIDE = 3, 5
"""Widths of filters: a mask's outline is light for one pixel, and dark for another around it."""


def draw_mark(picture: Image.Image, result: Result, place: int) -> Image.Image:
    """A picture of the photo of map number `place`, at any scale, with what was asked about; as it
    is where that is no part of the photo."""
    details = result.details_as(MapDetails)
    mark = details.marks[place] if place < len(details.marks) else None
    if mark is None:
        return picture
    photo = result.photos[details.photo_of[place]]
    scale = picture.width / photo.shape[1]
    if mark.kind == "mask":
        return _with_outline(picture, result["mask"][place], details.boxes[place], scale)
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    corners = [corner * scale for corner in mark.corners]
    if mark.kind == "box":
        x1, y1, x2, y2 = corners
        inside = (
            max(x1, 1),
            max(y1, 1),
            min(x2, picture.width - 2),
            min(y2, picture.height - 2),
        )
        _rectangle(draw, inside)
    else:
        _ring(draw, corners[0], corners[1])
    return marked


def _rectangle(draw: ImageDraw.ImageDraw, corners: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = (round(corner) for corner in corners)
    if x2 < x1 or y2 < y1:  # a box that lies outside
        return
    draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=DARK, width=4)
    draw.rectangle((x1, y1, x2, y2), outline=LIGHT, width=2)


def _ring(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    for radius, color, width in ((RADIUS + 1, DARK, 4), (RADIUS, LIGHT, 2)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=color, width=width)
    draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=LIGHT, outline=DARK)


def _with_outline(picture: Image.Image, mask: Map, box: Box, scale: float) -> Image.Image:
    """The outline of a mask (`h w`, 1 inside) of the part of the photo that the network saw."""
    top, left, height, width = (round(value * scale) for value in box)
    cells = Image.fromarray((mask > 0).astype(np.uint8) * 255)
    inside = Image.new("L", picture.size, 0)
    inside.paste(
        cells.resize((max(width, 1), max(height, 1)), Image.Resampling.NEAREST), (left, top)
    )
    marked = picture.copy()
    for color, filter_width in ((DARK, WIDE), (LIGHT, THIN)):
        rim = ImageChops.subtract(inside.filter(ImageFilter.MaxFilter(filter_width)), inside)
        marked.paste(Image.new("RGB", picture.size, color), (0, 0), rim)
    return marked
