"""How large a picture must be to show what a unit looks for: `size="auto"`."""

from __future__ import annotations

import math
from collections.abc import Iterable

from convscope.networks.model import Model
from convscope.probe.receptive_field import receptive_fields

SHARE = 0.98
"""Of the gradient that a receptive field holds here; the last two percent lie far outside."""

MARGIN = 32
"""Pixels beside the field: what transforms move and cut off, on both sides."""

STEP = 32
"""Sizes are multiples of this, which the strides of most networks divide."""

SMALLEST = 64


def auto_size(model: Model, layers: Iterable[str], largest: int) -> int:
    """Height and width in pixels of a picture of units of these layers: the widest of their
    receptive fields and a margin, from 64 to `largest`.

    A picture of a whole channel is a texture: beyond some receptive fields, more pixels only repeat
    it. The field is the smallest box with 98 percent of the gradient (the effective receptive field
    of Luo et al., 2016). A layer without places, or one whose field is wider than what it can be
    measured on, takes `largest`.
    """
    fields = receptive_fields(model, list(layers), SHARE).values()
    sizes = [largest if field.extent is None else _size_for(field.extent) for field in fields]
    return min(largest, max([SMALLEST, *sizes]))


def _size_for(extent: tuple[float, float]) -> int:
    return STEP * math.ceil((max(extent) + MARGIN) / STEP)
