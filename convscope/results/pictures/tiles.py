"""The channels of one layer as bare tiles, for pages that lay them out themselves."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from convscope.core.ranges import PositiveFloat, PositiveInt, Side
from convscope.results.pictures import register
from convscope.results.pictures._tile import CENTER, GAIN, RELATIVE_NOISE
from convscope.results.pictures.activations import BLANK, FIRST
from convscope.results.pictures.colors import ACTIVATION, Map, Pixels, check_finite, color_table
from convscope.results.result import Result


@register()
def tiles(
    result: Result,
    *,
    layer: str | None = None,
    columns: PositiveInt = 16,
    side: Side = 56,
    first: PositiveInt | None = FIRST,
    gain: PositiveFloat = GAIN,
    colors: str = ACTIVATION,
) -> Image.Image:
    """One layer's channels edge to edge, without titles: each tile scaled by itself as in
    `activations`.

    Reads the array of the layer (`n c h w`) and draws its first photo, as a palette image: color 0
    is a blank channel's gray.

    Args:
        layer: which array; by default the first.
        columns: tiles a row.
        side: larger maps are shrunk to so many pixels.
        first: channels shown; none shows all.
        gain: levels per standard deviation.
        colors: a matplotlib color map.

    Raises:
        NumericError: an activation with NaN or infinity.
        OptionError: a count below 1, or no such layer.
    """
    maps = result[layer or result.keys()[0]][0][:first]
    check_finite(maps, "activation")
    flat = maps.reshape(len(maps), -1).astype(np.float32)
    mean, deviation = flat.mean(1, keepdims=True), flat.std(1, keepdims=True)
    blank = np.ptp(flat, axis=1) <= RELATIVE_NOISE * np.abs(flat).max(1)
    levels = (flat - mean) / np.maximum(deviation, np.finfo(np.float32).tiny) * gain + CENTER
    shades = np.rint(np.clip(levels, 1, 255)).astype(np.uint8).reshape(maps.shape)
    shades[blank] = 0
    shades = _shrunk(shades, side)
    count, height, width = shades.shape
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    cells = np.zeros((rows * columns, height, width), np.uint8)
    cells[:count] = shades
    sheet = cells.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    picture = Image.fromarray(np.ascontiguousarray(sheet.reshape(rows * height, columns * width)))
    palette = color_table(colors).copy()
    palette[0] = BLANK
    picture.putpalette(palette.tobytes())
    return picture


def strongest_first(maps: Map) -> list[int]:
    """The channels of a layer (`c h w`), by their mean."""
    means = maps.reshape(len(maps), -1).mean(1)
    order: list[int] = np.argsort(-means, kind="stable").tolist()
    return order


def _shrunk(shades: Pixels, side: int) -> Pixels:
    """Tiles (`c h w`) at most `side` high and wide, averaged over what falls together."""
    height, width = shades.shape[1:]
    factor = max(height, width) / side
    if factor <= 1:
        return shades
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    if height % size[1] == 0 and width % size[0] == 0:
        # One above the other: no box of pixels reaches into the next tile.
        column = Image.fromarray(shades.reshape(-1, width))
        shrunk = np.asarray(column.resize((size[0], len(shades) * size[1]), Image.Resampling.BOX))
        return shrunk.reshape(len(shades), size[1], size[0])
    return np.stack(
        [np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BOX)) for tile in shades]
    )
