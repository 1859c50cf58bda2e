"""An optimization as a strip: the same image after more and more steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from convscope.results.arrays import Array
from convscope.results.pictures._layout import Panel, resize_to_fit, sheet
from convscope.results.pictures.colors import to_rgb, to_uint8

MOST_STEPS = 10
"""Snapshots in a row; of more, so many are drawn, evenly spaced, with the first and the last."""

SIDE = 144
"""The longer side of a snapshot, in pixels."""


def snapshot_strip(snapshots: Array, steps: Sequence[int], names: Sequence[str]) -> Image.Image:
    """Snapshots (`k n c h w` in [0, 1]) with their steps, one row an image."""
    chosen = np.unique(np.linspace(0, len(steps) - 1, MOST_STEPS).round().astype(int))
    panels = [
        Panel(
            resize_to_fit(
                to_rgb(to_uint8(snapshots[index, image].transpose(1, 2, 0))), _side(snapshots)
            ),
            caption=f"{names[image]}, step {steps[index]}"
            if len(names) > 1 and place == 0
            else f"step {steps[index]}",
        )
        for image in range(snapshots.shape[1])
        for place, index in enumerate(chosen)
    ]
    return sheet(panels, columns=len(chosen))


def _side(snapshots: Array) -> int:
    """Small images are enlarged by a whole factor, large ones shrunk."""
    return SIDE if max(snapshots.shape[-2:]) > SIDE else max(SIDE, *snapshots.shape[-2:])
