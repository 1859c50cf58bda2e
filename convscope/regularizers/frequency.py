from __future__ import annotations

import torch
from torch import Tensor

from convscope.regularizers import register


@register()
def frequency(image: Tensor, *, power: float = 1.0) -> Tensor:
    """The image's energy weighted by frequency^(2 power): high frequencies cost, flat areas are free (Olah et al., 2017).

    Args:
        power: how fast the cost grows with the frequency.
    """
    height, width = image.shape[-2:]
    distance = (torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width)[None] ** 2).sqrt().to(image.device)
    spectrum = torch.fft.rfft2(image, norm="ortho")
    return (spectrum.abs().pow(2) * distance ** (2 * power)).flatten(1).mean(1)
