"""Values kept as a spectrum whose frequencies are scaled by 1 / frequency."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CONTRAST = 4.0
"""Lucid's divisor: with it a spectrum of deviation 0.01 starts near gray, and Adam's step of 0.05
is a good one."""


class Spectrum(nn.Module):
    """Its `forward()` gives the values, n c h w, before colors are put together and brought to (0,
    1)."""

    scale: Tensor

    def __init__(self, spectrum: Tensor, size: tuple[int, int], decay: float) -> None:
        super().__init__()
        self.size = size
        # For the real and the imaginary part alike: a product of real numbers costs a third of one
        # of complex ones.
        self.register_buffer(
            "scale", _scale(size, decay).to(spectrum.device)[..., None].repeat(1, 1, 2)
        )
        self.spectrum = nn.Parameter(spectrum)

    @classmethod
    def of(cls, values: Tensor, decay: float) -> Spectrum:
        """The spectrum of values, n c h w."""
        size = (values.shape[-2], values.shape[-1])
        whole = torch.fft.rfft2(values, norm="ortho") / _scale(size, decay).to(values)
        return cls(torch.view_as_real(whole).contiguous(), size, decay)

    def forward(self) -> Tensor:
        values: Tensor = torch.fft.irfft2(
            torch.view_as_complex(self.spectrum * self.scale), s=self.size, norm="ortho"
        )
        return values


def entries(channels: int, height: int, width: int) -> tuple[int, int, int, int]:
    """Shape of an image's spectrum: channels, rows, columns, real and imaginary part."""
    return channels, height, width // 2 + 1, 2


def frequencies(height: int, width: int) -> Tensor:
    """Distance from the zero frequency of each entry of a real spectrum (h, w // 2 + 1), in cycles
    per pixel."""
    square: Tensor = torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width)[None] ** 2
    return square.sqrt()


def inverse(height: int, width: int) -> Tensor:
    """1 / frequency, where the zero frequency counts as the lowest other one."""
    return frequencies(height, width).clamp_min(1 / max(height, width)).reciprocal()


def _scale(size: tuple[int, int], decay: float) -> Tensor:
    return inverse(*size) ** decay / CONTRAST
