"""Concepts as cards: what excites each, where it fires, and how much it matters."""

from __future__ import annotations

import numpy as np
from PIL import Image

from convscope.results.arrays import Array
from convscope.results.details import ConceptCardsDetails
from convscope.results.pictures import register
from convscope.results.pictures._heat import overlay_heat, scale_heat
from convscope.results.pictures._layout import Panel, place_in_columns, place_in_row, sheet
from convscope.results.pictures.colors import Pixels, to_rgb, to_uint8
from convscope.results.result import Result

SIDE = 168
"""Of a concept's picture, and of its best photo's longer side."""

GAP = 4
"""Between the crops."""


@register()
def concept_cards(result: Result) -> Image.Image:
    """A card per concept: a picture made to excite it, the four crops that it fires most on, and
    its map on its best photo; below, what the table says of it.

    Reads `picture` (k 3 s s), `crop` (k 4 3 s s), `heatmap` (k h w), the photos, and from the
    details `titles`, `captions`, `photo_of` and `boxes`.
    """
    details = result.details_as(ConceptCardsDetails)
    panels = [
        Panel(
            place_in_row(
                [
                    _square(result["picture"][index], SIDE),
                    _crops(result["crop"][index]),
                    _fitted(
                        overlay_heat(
                            to_rgb(result.photos[details.photo_of[index]]),
                            scale_heat(result["heatmap"][index], "layer").share,
                            details.boxes[index],
                        )
                    ),
                ],
                8,
            ),
            title,
            details.captions[index],
        )
        for index, title in enumerate(details.titles)
    ]
    return sheet(panels, notes=_notes(details), gap=28)


def _notes(details: ConceptCardsDetails) -> str:
    """What the parts and the numbers of a card are."""
    parts = ["Made to excite it; the crops that it fires most on; its map on its best photo."]
    if any(caption.startswith("importance") for caption in details.captions):
        parts.append("Importance: mean over the photos, with its 95 % interval.")
    return " ".join(parts)


def _square(image: Array, side: int) -> Image.Image:
    """3 h w in [0, 1] as a picture of that side."""
    pixels = to_rgb(to_uint8(np.clip(image, 0, 1).transpose(1, 2, 0)))
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def _crops(crops: Array) -> Image.Image:
    """Four crops as a square of the picture's side."""
    side = (SIDE - GAP) // 2
    squares = [_square(crop, side) for crop in crops]
    return place_in_columns([squares[:2], squares[2:]], GAP)


def _fitted(pixels: Pixels) -> Image.Image:
    """A photo whose longer side is that of the picture."""
    picture = Image.fromarray(pixels)
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
