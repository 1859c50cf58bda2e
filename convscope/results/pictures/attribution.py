"""Where the network looks, over the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from convscope.core.ranges import Percentile, UnitInterval
from convscope.results.details import AttributionDetails, Box, Space
from convscope.results.pictures import register
from convscope.results.pictures._bar import color_bar
from convscope.results.pictures._heat import (
    ALPHA,
    PERCENTILE,
    Heat,
    draw_heat,
    is_dark,
    overlay_heat,
    scale_heat,
)
from convscope.results.pictures._layout import (
    Panel,
    choose_columns,
    place_in_row,
    resize_to_fit,
    sheet,
    stack,
)
from convscope.results.pictures._mark import draw_mark
from convscope.results.pictures._text import FAINT, draw_text, text_size
from convscope.results.pictures.colors import HEAT, SIGNED, Pixels, to_rgb, to_uint8
from convscope.results.result import Result

PANEL_SIDES = ((1, 460), (4, 340), (12, 240), (64, 170))
"""Up to how many items each panel's longer side has how many pixels."""

BAR_ROOM, TITLE_ROOM = 90, 60
"""Pixels beside the panels for the scale, and above them for a title: enough to choose columns
by."""

PanelKind: TypeAlias = Literal["photo", "heat", "heatmap", "overlay"]


@register()
def attribution(
    result: Result,
    *,
    style: Literal["panels", "overlay", "heatmap"] = "panels",
    colors: str | None = None,
    alpha: UnitInterval = ALPHA,
    percentile: Percentile = PERCENTILE,
) -> Image.Image:
    """Heat over the photo, with the scale beside it.

    Reads `heatmap` (`n h w`, raw), the photos, and from the details `titles`, `boxes` (the part of
    each photo the network saw), `photo_of`, `space` and `signed`. A map at a layer is drawn as
    Grad-CAM's (negative values dropped, divided by the maximum); a map at the input is cut off at a
    percentile; a signed one is centered on zero. A box, pixel or mask that was asked about is
    outlined in white on the photo and the overlay. One item drawn as "overlay" or "heatmap" has
    exactly the photo's size and nothing around it.

    Args:
        style: photo, heat and scale in panels; or only the overlay, or only the heat.
        colors: a matplotlib color map; by default inferno, and RdBu_r for signed maps.
        alpha: share of heat in the overlay, 0 to 1.
        percentile: where maps at the input are cut off.

    Raises:
        NumericError: a map with NaN or infinity.
        OptionError: an unknown color map, or a share or percentile out of range.
    """
    details = result.details_as(AttributionDetails)
    count = len(result["heatmap"])
    items = [_item(result, details, index, percentile) for index in range(count)]
    signed = items[0].heat.low < 0 or (details.signed and details.space == "input")
    colors = colors or (SIGNED if signed else HEAT)
    if style == "heatmap" and count == 1:
        return Image.fromarray(items[0].alone(colors))
    if style == "overlay" and count == 1:
        return draw_mark(Image.fromarray(items[0].overlay(alpha, colors)), result, 0)
    side = next((side for most, side in PANEL_SIDES if count <= most), PANEL_SIDES[-1][1])
    kinds = _panel_kinds(style)
    photo = items[0].photo
    width = side * len(kinds) + BAR_ROOM
    height = round(side * photo.shape[0] / max(photo.shape[:2])) + TITLE_ROOM
    columns = choose_columns(count, width, height)
    size = text_size(columns * width)
    panels = []
    for index, item in enumerate(items):
        pictures = [resize_to_fit(_pixels(item, kind, alpha, colors), side) for kind in kinds]
        # The heat alone is the numbers and nothing else.
        pictures = [
            picture if kind in ("heat", "heatmap") else draw_mark(picture, result, index)
            for kind, picture in zip(kinds, pictures, strict=True)
        ]
        panels.append(Panel(_with_captions(item, kinds, pictures, size, colors), item.title))
    return sheet(
        panels,
        columns=columns,
        notes=_notes(items, signed, alpha, percentile, is_marked=any(details.marks)),
        gap=2 * size,
        size=size,
    )


@dataclass(frozen=True)
class _Item:
    """One map, ready to color, with the photo it belongs to and the part of it the network saw."""

    heat: Heat
    space: Space
    photo: Pixels
    box: Box | None
    title: str

    @property
    def is_cropped(self) -> bool:
        """Whether the network saw less than the photo."""
        return self.box is not None and (
            self.box[2] < self.photo.shape[0] - 0.5 or self.box[3] < self.photo.shape[1] - 0.5
        )

    def overlay(self, alpha: float, colors: str) -> Pixels:
        """The heat over the photo, at its size; a blank map leaves the photo as it is, a signed one
        takes its colors away."""
        photo = to_rgb(self.photo)
        if self.heat.low < 0:
            # Red and blue carry the sign; the photo's own reds and blues would be read as evidence.
            photo = to_uint8(np.repeat(photo.mean(axis=2, keepdims=True) / 255, 3, axis=2))
        return overlay_heat(
            photo, self.heat.share, self.box, 0.0 if self.heat.is_blank else alpha, colors
        )

    def alone(self, colors: str) -> Pixels:
        """The heat without the photo, at its size."""
        size = (self.photo.shape[0], self.photo.shape[1])
        return draw_heat(size, self.heat.share, self.box, colors)


def _item(result: Result, details: AttributionDetails, index: int, percentile: float) -> _Item:
    """The map at `index` with what belongs to it; a result put together by hand may lack titles,
    boxes and photos."""
    maps, photos = result["heatmap"], result.photos
    heat = scale_heat(maps[index], details.space, signed=details.signed, percentile=percentile)
    photo_of = details.photo_of or [
        at if len(photos) == len(maps) else 0 for at in range(len(maps))
    ]
    white = np.full((*maps.shape[1:], 1), 255, np.uint8)
    title = details.titles[index] if details.titles else ""
    if heat.is_blank:
        title += (
            " (no positive evidence: nothing to show)"
            if details.space == "layer"
            else " (all zero: nothing to show)"
        )
    return _Item(
        heat,
        details.space,
        photos[photo_of[index]] if photos else white,
        details.boxes[index] if details.boxes else None,
        title,
    )


def _panel_kinds(
    style: Literal["panels", "overlay", "heatmap"],
) -> tuple[PanelKind, ...]:
    """What stands side by side for each map."""
    if style != "panels":
        return (style,)
    return ("photo", "heat", "overlay")


def _with_captions(
    item: _Item,
    kinds: tuple[PanelKind, ...],
    pictures: list[Image.Image],
    size: int,
    colors: str,
) -> Image.Image:
    """The pictures of one item side by side, each with its kind below, and the scale."""
    captioned = [
        stack([picture, draw_text(kind, picture.width, size - 2, ink=FAINT)], 4)
        for kind, picture in zip(kinds, pictures, strict=True)
    ]
    bar = color_bar(pictures[0].height, colors, item.heat.low, item.heat.high, size - 2)
    return place_in_row([*captioned, bar], max(8, pictures[0].width // 40))


def _pixels(item: _Item, kind: PanelKind, alpha: float, colors: str) -> Pixels:
    """One panel."""
    if kind == "photo":
        return to_rgb(item.photo)
    return item.overlay(alpha, colors) if kind == "overlay" else item.alone(colors)


def _notes(
    items: list[_Item], signed: bool, alpha: float, percentile: float, *, is_marked: bool
) -> str:
    """What was done to the numbers."""
    if items[0].space == "layer":
        notes = ["Negative values dropped, each map scaled to its own maximum."]
    elif signed:
        notes = [f"Centered on zero, cut off at the {percentile:g}th percentile of the magnitude."]
    else:
        notes = [f"Cut off at the {percentile:g}th percentile."]
    notes.append(f"Overlay: {alpha:.0%} heat.")
    if is_marked:
        notes.append("White outline: what was asked about.")
    if any(is_dark(item.photo) for item in items) and not signed:
        notes.append("The dark photo is lightened under the heat.")
    if any(item.is_cropped for item in items):
        notes.append("Faded gray border: cut off before the network saw it.")
    if max(item.photo.shape[2] if item.photo.ndim == 3 else 1 for item in items) > 3:
        notes.append("Of each photo the first three channels are shown.")
    return " ".join(notes)
