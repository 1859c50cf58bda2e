"""A photo, what it was turned into, and how little was changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from convscope.results.pictures import register
from convscope.results.pictures._color import to_rgb, to_uint8
from convscope.results.pictures._layout import Panel, sheet
from convscope.results.result import Result

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
        return _picture(result["image"][0])
    panels = []
    for original, image, row in zip(result["original"], result["image"], result.table, strict=True):
        change = image - original
        answer = f"{row['after']}, {row['after_probability']:.1%}"
        verdict = (
            f"after {row['steps']} step(s)"
            if row["fooled"]
            else f"not fooled in {row['steps']} steps (wanted: {row['target']})"
        )
        panels += [
            Panel(
                _picture(original), f"{row['before']}, {row['before_probability']:.1%}", "original"
            ),
            Panel(_picture(image), answer, verdict),
            Panel(
                _picture(np.clip(change + 0.5, 0, 1)),
                "difference",
                f"L2 {row['l2']:.2f}, Linf {row['linf']:.3f}",
            ),
            Panel(
                _picture(np.clip(AMPLIFIED * change + 0.5, 0, 1)),
                f"{AMPLIFIED} x difference",
                "gray: unchanged",
            ),
        ]
    return sheet(
        panels,
        columns=4,
        notes="Every image is exact to 8 bits: the fooled one, saved, still fools.",
    )


def _picture(image: npt.NDArray[np.float32]) -> Image.Image:
    """An image (`c h w` in [0, 1]) at its own size."""
    return Image.fromarray(to_rgb(to_uint8(image.transpose(1, 2, 0))))
