"""Where the network looks, over the photo."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from PIL import Image

from convscope.errors import OptionError
from convscope.results.pictures import register
from convscope.results.pictures._canvas import (
    FAINT,
    Panel,
    beside,
    color_bar,
    columns_for,
    fit,
    sheet,
    stack,
    text,
    text_size,
)
from convscope.results.pictures._color import HEAT, SIGNED, Pixels, to_rgb, to_uint8
from convscope.results.pictures._heat import (
    ALPHA,
    PERCENTILE,
    Box,
    Heat,
    heat_alone,
    heat_of,
    overlay_heat,
)
from convscope.results.result import Result

PANEL_SIDES = ((1, 460), (4, 340), (12, 240), (64, 170))
"""Up to how many items each panel's longer side has how many pixels."""


@register()
def attribution(
    result: Result,
    *,
    style: Literal["panels", "overlay", "heatmap"] = "panels",
    colors: str | None = None,
    alpha: float = ALPHA,
    percentile: float = PERCENTILE,
) -> Image.Image:
    """Heat over the photo, with the scale beside it.

    Reads `heatmap` (`n h w`, raw), the photos, and from the details `titles`, `boxes` (the part of
    each photo the network saw), `photo_of`, `space` and `signed`. A map at a layer is drawn as
    Grad-CAM's (negative values dropped, divided by the maximum); a map at the input is cut off at a
    percentile; a signed one is centered on zero. One item drawn as "overlay" or "heatmap" has
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
    if not 0 <= alpha <= 1 or not 0 < percentile <= 100:
        raise OptionError(
            f"alpha must be 0 to 1 and percentile above 0 to 100, but {alpha} and {percentile} were"
            " given."
        )
    items = [_Item(result, index, percentile) for index in range(len(result["heatmap"]))]
    signed = bool(
        items[0].heat.low < 0 or (result.details.get("signed") and items[0].space == "input")
    )
    colors = colors or (SIGNED if signed else HEAT)
    if style != "panels" and len(items) == 1:
        return Image.fromarray(
            items[0].overlay(alpha, colors) if style == "overlay" else items[0].alone(colors)
        )
    side = next((side for most, side in PANEL_SIDES if len(items) <= most), PANEL_SIDES[-1][1])
    together = ("photo", "heat", "overlay") if items[0].space == "input" else ("photo", "overlay")
    kinds: tuple[str, ...] = together if style == "panels" else (style,)
    width, height = (
        side * len(kinds) + 90,
        round(side * items[0].photo.shape[0] / max(items[0].photo.shape[:2])) + 60,
    )
    columns = columns_for(len(items), width, height)
    size = text_size(columns * width)
    panels = [Panel(_panels(item, kinds, side, size, alpha, colors), item.title) for item in items]
    return sheet(
        panels,
        columns=columns,
        notes=_notes(items, signed, alpha, percentile),
        gap=2 * size,
        size=size,
    )


class _Item:
    """One map with the photo it belongs to."""

    def __init__(self, result: Result, index: int, percentile: float) -> None:
        details: dict[str, Any] = result.details
        maps, photos = result["heatmap"], result.photos
        self.space: Literal["layer", "input"] = details.get("space", "layer")
        self.heat: Heat = heat_of(
            maps[index],
            self.space,
            signed=bool(details.get("signed", False)),
            percentile=percentile,
        )
        photo_of = details.get("photo_of") or [
            at if len(photos) == len(maps) else 0 for at in range(len(maps))
        ]
        self.photo: Pixels = (
            photos[photo_of[index]] if photos else np.full((*maps.shape[1:], 1), 255, np.uint8)
        )
        boxes = details.get("boxes")
        self.box: Box | None = tuple(boxes[index]) if boxes else None
        titles = details.get("titles")
        self.title = str(titles[index]) if titles else ""
        if self.heat.blank:
            self.title += (
                " (no positive evidence: nothing to show)"
                if self.space == "layer"
                else " (all zero: nothing to show)"
            )

    @property
    def cropped(self) -> bool:
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
            photo, self.heat.share, self.box, 0.0 if self.heat.blank else alpha, colors
        )

    def alone(self, colors: str) -> Pixels:
        """The heat without the photo, at its size."""
        return heat_alone(
            (self.photo.shape[0], self.photo.shape[1]), self.heat.share, self.box, colors
        )


def _panels(
    item: _Item, kinds: tuple[str, ...], side: int, size: int, alpha: float, colors: str
) -> Image.Image:
    """The panels of one item side by side, each with its kind below, and the scale."""
    drawn = {
        "photo": lambda: to_rgb(item.photo),
        "heat": lambda: item.alone(colors),
        "overlay": lambda: item.overlay(alpha, colors),
    }
    drawn["heatmap"] = drawn["heat"]
    pictures = [fit(drawn[kind](), side) for kind in kinds]
    named = [
        stack([picture, text(kind, picture.width, size - 2, ink=FAINT)], 4)
        for kind, picture in zip(kinds, pictures, strict=True)
    ]
    return beside(
        [*named, color_bar(pictures[0].height, colors, item.heat.low, item.heat.high, size - 2)],
        max(8, side // 40),
    )


def _notes(items: list[_Item], signed: bool, alpha: float, percentile: float) -> str:
    """What was done to the numbers."""
    said = []
    if items[0].space == "layer":
        said.append("Negative values dropped, each map scaled to its own maximum.")
    elif signed:
        said.append(
            f"Centered on zero, cut off at the {percentile:g}th percentile of the magnitude."
        )
    else:
        said.append(f"Cut off at the {percentile:g}th percentile.")
    said.append(f"Overlay: {alpha:.0%} heat.")
    if any(item.cropped for item in items):
        said.append("Faded gray border: cut off before the network saw it.")
    if max(item.photo.shape[2] if item.photo.ndim == 3 else 1 for item in items) > 3:
        said.append("Of each photo the first three channels are shown.")
    return " ".join(said)
