"""Attribution maps over photos."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from convscope.results.details import Box, Space
from convscope.results.pictures.colors import (
    HEAT,
    Map,
    Pixels,
    check_finite,
    color,
    to_rgb,
    to_uint8,
)

ALPHA = 0.4
"""Share of heat in an overlay (Chollet, Deep Learning with Python, 5.4.3)."""

PERCENTILE = 99.0
"""Where input-space maps are cut off: a few extreme pixels would leave the rest black (Smilkov et
al., SmoothGrad, 2017)."""

UNSEEN_FADE, UNSEEN_GRAY = 0.6, 0.78
"""The photo outside of what the network saw: this share of it is replaced by this gray. Lighter,
where cold heat is darker."""

OUTLINE_PART, OUTLINE_GRAY = 400, 0.3
"""A dark line around what the network saw, this part of the photo's longer side wide."""


DARK, LIGHT, DARKEST = 0.2, 0.35, 0.02
"""A photo with a mean below the first is lightened under heat, by a power that brings its mean to
about the second; one below the third is treated as if it had that mean."""


@dataclass(frozen=True)
class Heat:
    """A map ready to color: `share` in [0, 1], and the raw values that 0 and 1 stand for."""

    share: Map
    low: float
    high: float
    is_blank: bool


def scale_heat(
    values: Map,
    space: Space,
    *,
    signed: bool = False,
    percentile: float = PERCENTILE,
) -> Heat:
    """Scale a raw map (`h w`) for drawing.

    At a layer (CAM): negative values dropped, divided by the maximum (Selvaraju et al., 2017). At
    the input: cut off at a percentile of the magnitude and divided by it; a signed map keeps its
    sign, with zero at 0.5. A map with nothing to show gives all 0 (0.5 if signed) and `is_blank`.

    Raises:
        NumericError: NaN or infinity.
    """
    check_finite(values, "map")
    values = values.astype(np.float64)
    if space == "layer":
        values, high, signed = np.maximum(values, 0), float(values.max()), False
    else:
        magnitude = np.abs(values) if signed else np.maximum(values, 0)
        high = float(np.percentile(magnitude, percentile)) or float(magnitude.max())
    is_blank = not high > 0
    scaled = np.zeros(values.shape) if is_blank else np.clip(values / high, -1 if signed else 0, 1)
    high = 0.0 if is_blank else high
    return Heat((scaled + 1) / 2 if signed else scaled, -high if signed else 0.0, high, is_blank)


def overlay_heat(
    photo: Pixels, heat: Map, box: Box | None = None, alpha: float = ALPHA, colors: str = HEAT
) -> Pixels:
    """Heat in [0, 1] (`h w`, any size) blended over a photo (`h w c`, uint8), at the photo's own
    size.

    The heat is resized (bilinear) into `box`, the part of the photo that the network saw; None is
    the whole photo. Outside of it the photo is drawn faded and gray, behind a thin line: there,
    nothing was asked.
    """
    pixels = to_rgb(photo).astype(np.float64) / 255
    if alpha > 0 and is_dark(photo):
        pixels = pixels ** (math.log(LIGHT) / math.log(max(float(pixels.mean()), DARKEST)))
    rows, columns = _whole_pixels(pixels.shape[:2], box)
    colored = color(_resized(heat, rows, columns), colors) / 255
    blended = np.empty_like(pixels)
    blended[:] = pixels.mean(axis=2, keepdims=True) * (1 - UNSEEN_FADE) + UNSEEN_GRAY * UNSEEN_FADE
    line = max(1, round(max(pixels.shape) / OUTLINE_PART))
    blended[
        max(0, rows.start - line) : rows.stop + line,
        max(0, columns.start - line) : columns.stop + line,
    ] = OUTLINE_GRAY
    blended[rows, columns] = (1 - alpha) * pixels[rows, columns] + alpha * colored
    return to_uint8(blended)


def is_dark(photo: Pixels) -> bool:
    """Whether a photo is so dark that cold heat could not be told from it."""
    return float(photo.mean()) / 255 < DARK


def draw_heat(
    size: tuple[int, int], heat: Map, box: Box | None = None, colors: str = HEAT
) -> Pixels:
    """Heat in [0, 1] on an empty sheet of the photo's size (height, width); light gray where the
    network saw nothing."""
    sheet = np.full((*size, 3), round(UNSEEN_GRAY * 255), np.uint8)
    rows, columns = _whole_pixels(size, box)
    sheet[rows, columns] = color(_resized(heat, rows, columns), colors)
    return sheet


def fit_into_photo(
    cells: Pixels, size: tuple[int, int], box: Box | None = None, *, smooth: bool = False
) -> Pixels:
    """Colored cells (`h w 3`, uint8) on an empty sheet of the photo's size (height, width), over
    the part of it that the network saw; light gray elsewhere."""
    sheet = np.full((*size, 3), round(UNSEEN_GRAY * 255), np.uint8)
    rows, columns = _whole_pixels(size, box)
    way = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    shape = (columns.stop - columns.start, rows.stop - rows.start)
    sheet[rows, columns] = np.asarray(Image.fromarray(cells).resize(shape, way))
    return sheet


def _whole_pixels(size: tuple[int, ...], box: Box | None) -> tuple[slice, slice]:
    """The rows and columns of a box, in whole pixels, at least one of each."""
    height, width = size[0], size[1]
    top, left, box_height, box_width = box or (0.0, 0.0, float(height), float(width))
    first_row, first_column = (
        min(max(round(top), 0), height - 1),
        min(max(round(left), 0), width - 1),
    )
    last_row = min(max(round(top + box_height), first_row + 1), height)
    last_column = min(max(round(left + box_width), first_column + 1), width)
    return slice(first_row, last_row), slice(first_column, last_column)


def _resized(heat: Map, rows: slice, columns: slice) -> Map:
    size = (columns.stop - columns.start, rows.stop - rows.start)
    return np.asarray(
        Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    )
