"""All channels of layers for a photo."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from convscope.core.ranges import PositiveFloat, PositiveInt
from convscope.results.details import ActivationsDetails
from convscope.results.pictures import register
from convscope.results.pictures._bar import format_number
from convscope.results.pictures._layout import (
    MARGIN,
    Panel,
    add_margin,
    resize_to_fit,
    sheet,
    stack,
)
from convscope.results.pictures._text import FAINT, SMALLEST, draw_text, text_size
from convscope.results.pictures._tile import GAIN, activation_tile, is_blank
from convscope.results.pictures.colors import ACTIVATION, Map, Pixels, color_table
from convscope.results.result import Result

WIDTH = 1024
"""A grid comes near to this width: 16 tiles of 64 pixels, 8 of 128."""

FIRST = 256
"""Channels shown of a layer: 16 rows of 16. The last layers have thousands, and a page of them
shows no more."""

LARGE = 640
"""The longer side of a single channel at large; of several, half of it."""

GAP = 1
BLANK = (214, 214, 214)
"""Gray, which is in no perceptually uniform color map: a blank channel cannot be taken for a low
one."""

UNITS_PER_ROW, MOST_UNITS = 128, 16384
"""Cells a row, and cells at most, of a dense layer drawn as a strip."""


@register()
def activations(
    result: Result,
    *,
    first: PositiveInt | None = FIRST,
    columns: PositiveInt | None = None,
    gain: PositiveFloat = GAIN,
    colors: str = ACTIVATION,
) -> Image.Image:
    """Every channel's map as a tile, layer below layer (Chollet, Deep Learning with Python, 5.4.1).

    Reads the arrays (layer name to `n c h w`). Each tile is scaled by itself: (x - mean) / standard
    deviation * gain + 128, clipped to 0 to 255; a channel with one value everywhere is plain gray.
    So tiles show where a channel fires, not how much. The units of a dense layer (`n c 1 1`) are
    the cells of one strip, scaled together. The line above a grid gives the layer's shape, its
    share of zeros and its blank channels.

    Args:
        first: channels shown of each layer; none shows all.
        columns: tiles a row; by default 16, or 8 where there are few channels or large maps.
        gain: levels per standard deviation, 64 or 128.
        colors: a matplotlib color map.

    Raises:
        NumericError: an activation with NaN or infinity.
        OptionError: an unknown color map, or a count below 1.
    """
    grids = []
    channels = result.details_as(ActivationsDetails).channels
    for name in result:
        for index, maps in enumerate(result[name]):
            photo = f" \N{MIDDLE DOT} photo {index + 1}" if len(result[name]) > 1 else ""
            picture, facts = _draw_layer(maps, channels, first, columns, gain, colors)
            grids.append((name + photo, facts, picture))
    width = max(picture.width for _, _, picture in grids)
    size = text_size(width)
    small = max(SMALLEST, size - 2)
    parts = [
        stack(
            [
                draw_text(name, width, size, bold=True),
                draw_text(facts, width, small, ink=FAINT),
                picture,
            ],
            4,
        )
        for name, facts, picture in grids
    ]
    legend = (
        "Each tile is scaled by itself: it shows where a channel fires, not how much. Gray: the"
        " same value everywhere."
    )
    return add_margin(stack([*parts, draw_text(legend, width, small, ink=FAINT)], MARGIN))


def _draw_layer(
    maps: Map,
    channels: list[int],
    first: int | None,
    columns: int | None,
    gain: float,
    colors: str,
) -> tuple[Image.Image, str]:
    """One layer (`c h w`) on one photo, and the line above it."""
    if channels:
        return _at_large(maps, channels, gain, colors), _facts(maps, None)
    if maps.shape[1:] == (1, 1):
        return _strip(maps[:, 0, 0], gain, colors), _facts(maps, MOST_UNITS)
    return _grid(maps[:first], columns, gain, colors), _facts(maps, first)


def _facts(maps: Map, first: int | None) -> str:
    """Shape, share of zeros, blank channels, and how many are shown, on one line."""
    channels, height, width = maps.shape
    dense = (height, width) == (1, 1)
    facts = [
        (
            f"{channels} units"
            if dense
            else f"{channels} \N{MULTIPLICATION SIGN} {height} \N{MULTIPLICATION SIGN} {width}"
        )
    ]
    facts.append(f"{np.mean(maps == 0):.0%} zeros")
    if not dense:
        facts.append(f"{sum(is_blank(channel) for channel in maps)} of {channels} channels blank")
    if first is not None and channels > first:
        facts.append(f"first {first} of {channels} shown")
    return " \N{MIDDLE DOT} ".join(facts)


def _grid(maps: Map, columns: int | None, gain: float, colors: str) -> Image.Image:
    """Channels (`c h w`) as tiles in rows."""
    channels, height, width = maps.shape
    columns = min(
        columns or (8 if channels <= 32 or max(height, width) > WIDTH // 16 else 16), channels
    )
    side = WIDTH / (16 if columns > 8 else 8)
    scale = side / max(height, width)
    # Whole factors keep a map's cells equally large; maps too large for their tile are shrunk.
    scale = math.floor(scale) if scale >= 1 else scale
    tile = (max(1, round(width * scale)), max(1, round(height * scale)))
    rows = math.ceil(channels / columns)
    grid = Image.new(
        "RGB", (columns * (tile[0] + GAP) - GAP, rows * (tile[1] + GAP) - GAP), "white"
    )
    for index, channel in enumerate(maps):
        picture = Image.fromarray(_colored(channel, gain, colors))
        resampling = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
        grid.paste(
            picture.resize(tile, resampling),
            ((index % columns) * (tile[0] + GAP), (index // columns) * (tile[1] + GAP)),
        )
    return grid


def _at_large(maps: Map, channels: list[int], gain: float, colors: str) -> Image.Image:
    """Some channels (`c h w`), large, each with its range below."""
    side = LARGE if len(channels) == 1 else LARGE // 2
    panels = [
        Panel(
            resize_to_fit(_colored(maps[channel], gain, colors), max(side, *maps.shape[1:])),
            f"channel {channel}",
            _range(maps[channel]),
        )
        for channel in channels
    ]
    return sheet(panels, columns=min(len(panels), 3))


def _range(channel: Map) -> str:
    low, high = float(channel.min()), float(channel.max())
    # A tenth of a percent of the range: finer digits cannot be seen in the colors.
    scale = (high - low) / 10 or abs(high)
    numbers = [format_number(value, scale) for value in (low, high, float(channel.mean()))]
    return f"{numbers[0]} to {numbers[1]}, mean {numbers[2]}"


def _colored(channel: Map, gain: float, colors: str) -> Pixels:
    """One tile in color (`h w 3`); a blank channel is gray."""
    levels = activation_tile(channel, gain)
    return (
        np.full((*levels.shape, 3), BLANK, np.uint8)
        if is_blank(channel)
        else color_table(colors)[levels]
    )


def _strip(units: Map, gain: float, colors: str) -> Image.Image:
    """The units of a dense layer (`c`) as equal cells in reading order, scaled over the whole
    layer."""
    shown = units[:MOST_UNITS]
    columns = min(UNITS_PER_ROW if len(shown) > WIDTH // 16 else WIDTH // 16, len(shown))
    rows = math.ceil(len(shown) / columns)
    cells = np.full((rows * columns, 3), 255, np.uint8)
    cells[: len(shown)] = _colored(shown[None], gain, colors)[0]
    picture = Image.fromarray(cells.reshape(rows, columns, 3))
    cell = max(1, WIDTH // UNITS_PER_ROW if columns == UNITS_PER_ROW else min(WIDTH // columns, 32))
    return picture.resize(
        (columns * cell, rows * max(cell, 16 if rows <= 2 else cell)), Image.Resampling.NEAREST
    )
