from __future__ import annotations

import torch
from torch import Tensor

from convscope.synthesis.regularizers import register


@register(scale=7500.0)
def frequency(image: Tensor, *, power: float = 1.0) -> Tensor:
    """The mean energy of the image's waves, each times its frequency^(2 power): fine detail costs
    (Olah et al., 2017).

    Frequencies are in cycles per pixel; a flat area is free.

    Args:
        power: how fast the cost grows with the frequency.
    """
    height, width = image.shape[-2:]
    square: Tensor = (
        torch.fft.fftfreq(height, device=image.device)[:, None] ** 2
        + torch.fft.fftfreq(width, device=image.device)[None] ** 2
    )
    energy: Tensor = torch.fft.fft2(image, norm="ortho").abs().pow(2)
    return (energy * square**power).flatten(1).mean(1)
