"""Images without information: what stands for nothing in a comparison."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from convscope.errors import OptionError
from convscope.networks.model import Model

Baseline = Literal["mean", "black", "white", "blur"]
"""What an image without information looks like."""

BLUR = 10 / 224
"""Standard deviation of the blurred baseline, as a share of the shorter side: no object of the
photo survives it."""


def baseline_of(model: Model, image: Tensor, name: str) -> Tensor:
    """An image without information (n c h w, network input): the training data's mean color, black,
    white, or the image blurred."""
    if name == "mean":
        return torch.zeros_like(image)
    if name in ("black", "white"):
        return model.preprocess(
            torch.full_like(image, float(name == "white"), dtype=torch.float32)
        ).to(image)
    if name == "blur":
        return blurred(image, BLUR * min(image.shape[-2:]))
    raise OptionError(f"There is no baseline {name!r}; there is: mean, black, white, blur.")


def blurred(image: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur (n c h w), borders mirrored."""
    for axis in (-1, -2):
        reach = min(math.ceil(3 * sigma), image.shape[axis] - 1)
        kernel = torch.exp(
            -0.5
            * (torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device) / sigma) ** 2
        )
        shape = (1, 1, 1, -1) if axis == -1 else (1, 1, -1, 1)
        weight = (kernel / kernel.sum()).view(shape).expand(image.shape[1], -1, -1, -1)
        padding = (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach)
        image = functional.conv2d(
            functional.pad(image, padding, mode="reflect"), weight, groups=image.shape[1]
        )
    return image
