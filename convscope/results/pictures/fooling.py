"""A photo, what it was turned into, and how little was changed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from convscope.results.arrays import Array, Pixels
from convscope.results.details import FoolingDetails
from convscope.results.pictures import register
from convscope.results.pictures._layout import Panel, resize_to_fit, sheet, stack
from convscope.results.pictures._snapshots import snapshot_strip
from convscope.results.pictures.colors import to_rgb, to_uint8
from convscope.results.provenance import Row
from convscope.results.result import Result

LEAST_SIDE = 224
"""Smaller images are enlarged to come near to this."""

AMPLIFIED = 10
"""How many times the change is enlarged in the last panel (CS231n)."""


@register()
def fooling(result: Result, *, plain: bool = False) -> Image.Image:
    """Original, fooled, their difference and ten times that, each about gray, with both answers and
    the size of the change.

    Reads `image` and `original` (`n c h w` in [0, 1]) and a table row for each.

    Args:
        plain: the fooled image alone, exact to the pixel; of several, the first.
    """
    if plain:
        return Image.fromarray(_pixels(result["image"][0]))
    panels = []
    for original, image, row in zip(result["original"], result["image"], result.table, strict=True):
        change = image - original
        verdict = (
            f"after {row['steps']} step(s)"
            if row["fooled"]
            else f"not fooled in {row['steps']} steps (wanted: {row['target']})"
        )
        panels += [
            Panel(_panel(original), answer_text(row, "before"), "original"),
            Panel(_panel(image), answer_text(row, "after"), verdict),
            Panel(
                _panel(np.clip(change + 0.5, 0, 1)),
                "difference",
                f"L2 {row['l2']:.2f}, Linf {row['linf']:.3f}",
            ),
            Panel(
                _panel(np.clip(AMPLIFIED * change + 0.5, 0, 1)),
                f"{AMPLIFIED} x difference",
                "gray: unchanged",
            ),
        ]
    picture = sheet(panels, columns=4, notes=_notes(result))
    if "snapshot" not in result:
        return picture
    details = result.details_as(FoolingDetails)
    strip = snapshot_strip(result["snapshot"], details.snapshots, details.titles)
    return stack([picture, strip], 0)


def answer_text(row: Row, when: Literal["before", "after"], percent: str = "%") -> str:
    """What the network said, with the probability where there is one; `percent` is the sign behind
    it, which pages set apart."""
    probability = row[f"{when}_probability"]
    return str(row[when]) + ("" if probability is None else f", {100 * probability:.1f}{percent}")


def _notes(result: Result) -> str:
    """What can be relied on: a fooled image fools as a file too; what is not fooled is said to be
    so."""
    fooled = [bool(row["fooled"]) for row in result.table]
    notes = ["Every image is exact to 8 bits"]
    if all(fooled):
        notes[0] += ": the fooled one, saved, still fools."
    elif any(fooled):
        notes[0] += f"; {sum(fooled)} of {len(fooled)} fool the network, also when saved."
    else:
        notes[0] += "." if result.details_as(FoolingDetails).notes else "; none fools the network."
    details = result.details_as(FoolingDetails)
    notes += details.notes
    if details.ended and details.ended.startswith("interrupted"):
        notes.append(f"{details.ended.capitalize()}.")
    return " ".join(notes)


def _panel(image: Array) -> Image.Image:
    """An image (`c h w` in [0, 1]), enlarged by a whole factor where it is small."""
    return resize_to_fit(_pixels(image), max(LEAST_SIDE, *image.shape[-2:]))


def _pixels(image: Array) -> Pixels:
    return to_rgb(to_uint8(image.transpose(1, 2, 0)))
