"""Overlapping crops of network inputs, each enlarged to the input's size."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

CROP = 64 / 224
"""The side of a crop by that of the network's input (Fel et al., 2023)."""

STRIDE = 0.8
"""From one crop to the next, as a share of a crop's side (Fel et al., 2023)."""


def crops_of(image: Tensor, share: float) -> Tensor:
    """Crops (m c h w) of images (n c h w), `share` of a side each, row by row, image by image."""
    height, width = image.shape[2:]
    sides = [max(1, round(side * share)) for side in (height, width)]
    down, right = (max(1, int(side * STRIDE)) for side in sides)
    windows = image.unfold(2, sides[0], down).unfold(3, sides[1], right)
    crops = windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    enlarged: Tensor = interpolate(crops, (height, width), mode="bilinear", align_corners=False)
    return enlarged
