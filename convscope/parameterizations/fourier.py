from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.parameterizations import register
from convscope.parameterizations._colour import from_image, matrix, to_image
from convscope.streams import Streams

CONTRAST = 4.0
"""Lucid's divisor: with it a spectrum of deviation 0.01 starts near grey, and Adam's step of 0.05 is a good one."""


@register()
def fourier(
    shape: tuple[int, int, int, int], streams: Streams, *, sd: float = 0.01, decay: float = 1.0, decorrelate: bool = True, start: Tensor | None = None
) -> nn.Module:
    """The image's spectrum, each frequency scaled by 1 / frequency, in decorrelated colour (Olah et al., 2017).

    Steps in it spread over all frequencies as natural images do, so that low ones are found first and noise is not.

    Args:
        sd: standard deviation of the spectrum it starts from.
        decay: power of the 1 / frequency scaling; 0 is none.
        decorrelate: use colours that are independent in natural images.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="fourier")
    """
    count, channels, height, width = shape
    frequency = frequencies(height, width).to(streams.uniform(1).device)
    scale = frequency.clamp_min(1 / max(height, width)) ** -decay / CONTRAST
    colours = matrix(channels, decorrelate).to(scale.device)
    if start is None:
        spectrum = sd * streams.normal(channels, height, width // 2 + 1, 2)
    else:
        spectrum = torch.view_as_real(torch.fft.rfft2(from_image(start, colours), norm="ortho") / scale).contiguous()
    return _Fourier(spectrum, scale, colours, (height, width))


class _Fourier(nn.Module):
    def __init__(self, spectrum: Tensor, scale: Tensor, colours: Tensor, size: tuple[int, int]) -> None:
        super().__init__()
        self.spectrum = nn.Parameter(spectrum)
        self.register_buffer("scale", scale)
        self.register_buffer("colours", colours)
        self.size = size

    def forward(self) -> Tensor:
        whole = torch.view_as_complex(self.spectrum) * self.scale
        return to_image(torch.fft.irfft2(whole, s=self.size, norm="ortho"), self.colours)  # type: ignore[arg-type]


def frequencies(height: int, width: int) -> Tensor:
    """Distance from the zero frequency of each entry of a real spectrum (h, w // 2 + 1), in cycles per pixel."""
    return (torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width)[None] ** 2).sqrt()
