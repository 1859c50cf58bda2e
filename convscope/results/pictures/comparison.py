"""Several attribution methods beside each other: methods by targets."""

from __future__ import annotations

from PIL import Image

from convscope.core.ranges import Percentile, UnitInterval
from convscope.results.details import ComparisonDetails, MethodRecord
from convscope.results.pictures import register
from convscope.results.pictures._bar import color_bar
from convscope.results.pictures._heat import (
    ALPHA,
    PERCENTILE,
    draw_heat,
    overlay_heat,
    scale_heat,
)
from convscope.results.pictures._layout import (
    MARGIN,
    add_margin,
    place_in_columns,
    place_in_row,
    resize_to_fit,
    stack,
)
from convscope.results.pictures._mark import draw_mark
from convscope.results.pictures._text import FAINT, TEXT, draw_text
from convscope.results.pictures.colors import HEAT, SIGNED, to_rgb
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
    alpha: UnitInterval = ALPHA,
    percentile: Percentile = PERCENTILE,
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
    details = result.details_as(ComparisonDetails)
    side = next((side for most, side in SIDES if len(details.titles) <= most), SIDES[-1][1])
    photos = [resize_to_fit(to_rgb(result.photos[place]), side) for place in details.photo_of]
    header = [
        stack([draw_text(title, photo.width, TEXT, bold=True), draw_mark(photo, result, place)], 4)
        for place, (photo, title) in enumerate(zip(photos, details.titles, strict=True))
    ]
    rows = [[draw_text("", NAME, TEXT), *header]]
    for method in details.methods:
        maps = [
            _map(result, details, method, place, side, colors or HEAT, alpha, percentile)
            for place in range(len(details.titles))
        ]
        rows.append([_method_name(method), *maps])
    table = place_in_columns(rows)
    notes = (
        "Every map on its own scale. At a layer negative values are dropped; maps at the input are"
        f" cut off at the {percentile:g}th percentile, signed ones (blue below 0, red above) are"
        " centered on 0."
    )
    return add_margin(stack([table, draw_text(notes, table.width, TEXT - 2, ink=FAINT)], MARGIN))


def _method_name(method: MethodRecord) -> Image.Image:
    """The first cell of a row."""
    name = draw_text(method.method, NAME, TEXT, bold=True)
    return stack([name, draw_text(method.layer or "", NAME, TEXT - 3, ink=FAINT)], 2)


def _map(
    result: Result,
    details: ComparisonDetails,
    method: MethodRecord,
    place: int,
    side: int,
    colors: str,
    alpha: float,
    percentile: float,
) -> Image.Image:
    """One cell with its scale: a signed map alone, any other over its photo, which a blank one
    leaves as it is."""
    signed = method.signed and method.space == "input"
    values = result[f"{method.method}.heatmap"][place]
    heat = scale_heat(values, method.space, signed=signed, percentile=percentile)
    photo, box = result.photos[details.photo_of[place]], details.boxes[place]
    if signed:
        colors = SIGNED
        pixels = draw_heat((photo.shape[0], photo.shape[1]), heat.share, box, colors)
    else:
        pixels = overlay_heat(photo, heat.share, box, 0.0 if heat.is_blank else alpha, colors)
    picture = resize_to_fit(pixels, side)
    if not signed:
        picture = draw_mark(picture, result, place)
    bar = color_bar(picture.height, colors, heat.low, heat.high, TEXT - 3)
    return place_in_row([picture, bar], 6)
