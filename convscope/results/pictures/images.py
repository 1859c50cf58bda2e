"""Images from an optimization, in a grid."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from convscope.core.ranges import PositiveInt, Shift
from convscope.results.details import ImagesDetails
from convscope.results.pictures import register
from convscope.results.pictures._curve import curve_picture
from convscope.results.pictures._layout import Panel, choose_columns, resize_to_fit, sheet, stack
from convscope.results.pictures._snapshots import snapshot_strip
from convscope.results.pictures._text import SMALLEST, TEXT, text_size, words_fit
from convscope.results.pictures.colors import Pixels, to_rgb, to_uint8
from convscope.results.result import Result

MARGIN = 5
"""Pixels between tiles (Chollet, Deep Learning with Python, 5.4.2)."""

WIDTH = 1024
"""Small tiles are enlarged by a whole factor while a row of them stays within this width ..."""

LARGEST_TILE = 256
"""... and a tile within this."""

ONE_ROW = 3
"""Up to so many images stand in one row; more make a square, as 64 patterns do 8 by 8."""

DEAD = " (dead)"
"""What the title of a dead unit ends with."""

DEAD_MARK = " \N{DAGGER}"
"""What stands for it in a grid, where there is no room for the word."""

UNIT = re.compile(r"[\w.]+:[\d,]+")
"""A unit or neuron by its name, and not a sum of several."""


@register()
def images(
    result: Result,
    *,
    columns: PositiveInt | None = None,
    margin: Shift = MARGIN,
    plain: bool = False,
    curve: bool = False,
) -> Image.Image:
    """The images of a result as a grid with titles.

    Reads `image` (`n c h w` in [0, 1]) and from the details `titles`. One channel is drawn gray; of
    more than three, the first three are shown. Where all titles are units of one layer, the layer
    goes into the heading; titles too long for their tile become numbers, explained below the grid.
    Where there are snapshots, a strip of them stands below: a row an image, the first step at the
    left.

    Args:
        columns: images a row; by default what comes nearest to a square.
        margin: pixels between images.
        plain: the pixels alone, neither titles nor frame, nor enlarged; a single image is exact.
        curve: the score at each step below the grid.

    Raises:
        NumericError: an image with NaN or infinity.
        OptionError: a count below 1, or a curve where there is no score.
    """
    image = result["image"]
    tiles = [to_rgb(to_uint8(planes.transpose(1, 2, 0))) for planes in image]
    count, (height, width) = len(tiles), tiles[0].shape[:2]
    columns = min(
        columns or (count if count <= ONE_ROW else choose_columns(count, width, height, shape=1.0)),
        count,
    )
    if plain:
        return _grid(tiles, columns, margin)
    factor = max(1, min(WIDTH // (columns * width), LARGEST_TILE // max(height, width)))
    details = result.details_as(ImagesDetails)
    titles = details.titles or [""] * count
    heading, labels, legend = _labels(titles, width * factor, text_size(columns * width * factor))
    panels = [
        Panel(resize_to_fit(tile, max(height, width) * factor), label)
        for tile, label in zip(tiles, labels, strict=True)
    ]
    notes = "\n".join(filter(None, [legend, *_notes(details, image.shape[1])]))
    parts = [sheet(panels, columns=columns, heading=heading, notes=notes, gap=margin)]
    names = titles if any(titles) else [str(index + 1) for index in range(count)]
    if "snapshot" in result:
        parts.append(snapshot_strip(result["snapshot"], details.snapshots, names))
    if curve:
        parts.append(curve_picture(result["score"], names, max(part.width for part in parts)))
    return stack(parts, 0)


def _notes(details: ImagesDetails, channels: int) -> list[str]:
    """What the pixels do not say by themselves."""
    notes = list(details.notes)
    if channels == 2:
        notes.append("Two channels: the first is shown.")
    elif channels > 3:
        notes.append(f"The first three of {channels} channels are shown.")
    if details.ended and details.ended.startswith("interrupted"):
        notes.append(f"{details.ended.capitalize()}.")
    return notes


def _grid(tiles: list[Pixels], columns: int, margin: int) -> Image.Image:
    """Tiles, white between them."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    grid = np.full(
        (rows * (height + margin) - margin, columns * (width + margin) - margin, 3), 255, np.uint8
    )
    for index, tile in enumerate(tiles):
        top, left = (index // columns) * (height + margin), (index % columns) * (width + margin)
        grid[top : top + height, left : left + width] = tile
    return Image.fromarray(grid)


def _labels(titles: list[str], width: int, size: int) -> tuple[str, list[str], str]:
    """Heading, one label a tile, and a legend: whatever it takes for each title to be read in
    full."""
    units = [title.removesuffix(DEAD) for title in titles]
    layers = {title.partition(":")[0] for title in units}
    heading = legend = ""
    if len(titles) > 1 and len(layers) == 1 and all(UNIT.fullmatch(title) for title in units):
        heading = layers.pop()
        titles = [
            unit.partition(":")[2] + (DEAD_MARK if title.endswith(DEAD) else "")
            for unit, title in zip(units, titles, strict=True)
        ]
        if any(title.endswith(DEAD_MARK) for title in titles):
            legend = f"{DEAD_MARK.strip()} dead: no gradient reaches the image, so there is none."
    if len(titles) == 1 or all(
        words_fit(title, width, min(size, TEXT)) or words_fit(title, width, SMALLEST)
        for title in titles
    ):
        return heading, titles, legend
    numbers = [str(index + 1) for index in range(len(titles))]
    if len(set(titles)) == 1:
        return titles[0], numbers, ""
    lines = [f"{index}: {title}" for index, title in zip(numbers, titles, strict=True)]
    return heading, numbers, "\n".join(filter(None, [*lines, legend]))
