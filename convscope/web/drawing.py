"""Numbers as the small pictures that a page is built from, drawn by the pictures of `results`."""

from __future__ import annotations

import base64
import io
import math
from functools import lru_cache

import numpy as np
from PIL import Image

from convscope.core.types import JsonObject
from convscope.results.arrays import Array
from convscope.results.details import ImagesDetails, Space
from convscope.results.pictures import color, scale_heat
from convscope.results.pictures.colors import HEAT, SIGNED
from convscope.results.pictures.detections import class_color
from convscope.results.pictures.segmentation import class_colors, class_masks
from convscope.results.result import Result

TILE_COLUMNS = 16

MOST_TILES = 2048
"""Channels of a layer that are sent; the widest published layers have so many."""


def data_url(picture: Image.Image) -> str:
    """A picture inside a JSON answer. Little compression: encoding would take longer than
    sending."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def numbers(values: Array) -> str:
    """An array's float32 values, little-endian, as text."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def heat(values: Array, space: Space, *, signed: bool = False) -> JsonObject:
    """A map (`h w`) colored as in the picture of `explain`, and its values."""
    drawn = scale_heat(values, space, signed=signed)
    colors = SIGNED if drawn.low < 0 else HEAT
    picture = Image.fromarray(color(drawn.share, colors))
    return {
        "image": data_url(picture),
        "height": values.shape[0],
        "width": values.shape[1],
        "values": numbers(values),
        "low": drawn.low,
        "high": drawn.high,
        "blank": drawn.is_blank,
        "signed": drawn.low < 0,
        "scale": _scale(colors),
    }


@lru_cache(maxsize=4)
def _scale(colors: str) -> str:
    """The colors from low to high."""
    return data_url(Image.fromarray(color(np.linspace(0, 1, 64)[None], colors)))


def tiles(result: Result, layer: str, *, side: int) -> JsonObject:
    """The channels of a layer as one picture of equal tiles in rows."""
    channels, height, width = result[layer].shape[1:]
    count = min(channels, MOST_TILES)
    columns = min(TILE_COLUMNS, count)
    picture = result.picture("tiles", layer=layer, columns=columns, side=side, first=count)
    return {
        "image": data_url(picture),
        "columns": columns,
        "rows": math.ceil(count / columns),
        "count": count,
        "channels": channels,
        "height": height,
        "width": width,
    }


def answer(result: Result) -> JsonObject:
    """What a network says: its rows, those of boxes and masks with their colors, and the masks as
    one picture."""
    rows: list[JsonObject] = [dict(row) for row in result.table if "layer" not in row]
    if "segmentation" not in result:
        colors = {row["index"]: class_color(row["index"]) for row in rows if "box" in row}
        return {"predictions": [_colored(row, colors) for row in rows], "masks": None}
    colors = class_colors(rows)
    masks = data_url(class_masks(result["segmentation"][0], colors))
    return {"predictions": [_colored(row, colors) for row in rows], "masks": masks}


def _colored(row: JsonObject, colors: dict[int, str]) -> JsonObject:
    return {**row, "color": colors[row["index"]]} if colors else row


def images(pictures: Array) -> str:
    """Pictures (n c h w in [0, 1]) side by side, without a gap."""
    result = Result("visualize", ImagesDetails(), {"image": pictures})
    return data_url(result.picture(columns=len(pictures), margin=0, plain=True))
