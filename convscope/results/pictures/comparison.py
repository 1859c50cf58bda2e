"""Several attribution methods beside each other: methods by targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from convscope.errors import OptionError
from convscope.results.pictures import register
from convscope.results.pictures._canvas import (
    FAINT,
    MARGIN,
    TEXT,
    beside,
    color_bar,
    fit,
    framed,
    stack,
    text,
)
from convscope.results.pictures._color import HEAT, SIGNED, Pixels, to_rgb
from convscope.results.pictures._heat import (
    ALPHA,
    PERCENTILE,
    Heat,
    heat_alone,
    heat_of,
    overlay_heat,
)
from convscope.results.result import Result

SIDES = ((1, 340), (2, 280), (4, 220), (8, 170))
"""Up to how many columns each panel's longer side has how many pixels; more columns get the
last."""

NAME = 170
"""Pixels for the method's name at the left."""


@register()
def comparison(
    result: Result,
    *,
    colors: str | None = None,
    alpha: float = ALPHA,
    percentile: float = PERCENTILE,
) -> Image.Image:
    """One row per method, one column per target; the photo itself on top.

    Reads `METHOD.heatmap` (`n h w`, raw), the photos, and from the details `methods` (name, space,
    signed, layer), `titles`, `photo_of` and `boxes`. Heat at a layer and heat that is never
    negative lies over the photo; a signed map at the input is shown alone, centered on 0. Every map
    has its own scale, whose end is written beside it: methods have different units.

    Args:
        colors: a matplotlib color map for heat; inferno by default. Signed maps keep RdBu_r.
        alpha: share of heat in the overlay, 0 to 1.
        percentile: where maps at the input are cut off.

    Raises:
        NumericError: a map with NaN or infinity.
        OptionError: an unknown color map, or a share or percentile out of range.
    """
    if not 0 <= alpha <= 1 or not 0 < percentile <= 100:
        raise OptionError(
            f"alpha must be 0 to 1 and percentile above 0 to 100, but {alpha} and {percentile} were"
            " given."
        )
    details: dict[str, Any] = result.details
    titles, photo_of, boxes = details["titles"], details["photo_of"], details["boxes"]
    side = next((side for most, side in SIDES if len(titles) <= most), SIDES[-1][1])
    photos = [fit(to_rgb(result.photos[place]), side) for place in photo_of]
    above = [
        stack([text(title, photo.width, TEXT, bold=True), photo], 4)
        for photo, title in zip(photos, titles, strict=True)
    ]
    rows = [[text("", NAME, TEXT), *above]]
    for method in details["methods"]:
        layer = method.get("layer") or ""
        row = [
            stack(
                [
                    text(method["method"], NAME, TEXT, bold=True),
                    text(layer, NAME, TEXT - 3, ink=FAINT),
                ],
                2,
            )
        ]
        for place, values in enumerate(result[f"{method['method']}.heatmap"]):
            signed = bool(method["signed"]) and method["space"] == "input"
            heat = heat_of(values, method["space"], signed=signed, percentile=percentile)
            shown = _drawn(
                result.photos[photo_of[place]],
                heat,
                tuple(boxes[place]),
                signed,
                alpha,
                colors or HEAT,
            )
            picture = fit(shown, side)
            bar = color_bar(
                picture.height, SIGNED if signed else colors or HEAT, heat.low, heat.high, TEXT - 3
            )
            row.append(beside([picture, bar], 6))
        rows.append(row)
    widths = [max(part.width for part in column) for column in zip(*rows, strict=True)]
    notes = (
        "Every map on its own scale. At a layer negative values are dropped; maps at the input are"
        " cut off at the "
    )
    notes += (
        f"{percentile:g}th percentile, signed ones (blue below 0, red above) are centered on 0."
    )
    whole = stack([_even(row, widths) for row in rows], MARGIN)
    return framed(stack([whole, text(notes, whole.width, TEXT - 2, ink=FAINT)], MARGIN))


def _drawn(
    photo: Pixels,
    heat: Heat,
    box: tuple[float, float, float, float],
    signed: bool,
    alpha: float,
    colors: str,
) -> Pixels:
    """A signed map alone, any other over its photo; a blank one leaves the photo as it is."""
    if signed:
        return heat_alone((photo.shape[0], photo.shape[1]), heat.share, box, SIGNED)
    return overlay_heat(photo, heat.share, box, 0.0 if heat.blank else alpha, colors)


def _even(parts: list[Image.Image], widths: list[int]) -> Image.Image:
    """Parts in columns of the given widths, their tops in line."""
    sheet = np.full(
        (max(part.height for part in parts), sum(widths) + MARGIN * (len(parts) - 1), 3),
        255,
        np.uint8,
    )
    left = 0
    for part, width in zip(parts, widths, strict=True):
        sheet[: part.height, left : left + part.width] = np.asarray(part)
        left += width + MARGIN
    return Image.fromarray(sheet)
