from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from convscope.core.damaged import DAMAGED
from convscope.core.ranges import PositiveFloat
from convscope.core.types import AutogradContext
from convscope.errors import OptionError
from convscope.synthesis.color_space import from_image, matrix, to_image
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.spectrum import frequencies, inverse

MEASURED = 256
"""Side in pixels to which photos are brought before their magnitude is measured."""

EPSILON = 1e-5
"""Added to a standard deviation (the authors' code)."""


@register(rate=1.0)
def maco(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    magnitude: str | None = None,
    contrast: PositiveFloat = 1.0,
    decorrelate: bool = True,
    start: Tensor | None = None,
) -> nn.Module:
    """Only the phase of the spectrum is free; its magnitude stays that of natural images (Fel et
    al., 2023).

    No high frequencies can grow, so that no other regularization is needed. Phase and image are
    standardized, as in the authors' code. The magnitude is 1 / frequency, or measured from photos
    by `measure_magnitude`, or, with a photo to start from, that photo's own (as in Feature
    Accentuation, Hamblin et al., 2024).

    Args:
        magnitude: path of a .npy file with a measured magnitude; 1 / frequency by default.
        contrast: standard deviation of the image before colors and sigmoid.
        decorrelate: use colors that are independent in natural images.

    Raises:
        OptionError: the file cannot be read, or it is of another number of channels.

    Example:
        convscope.visualize(model, "logit(tarantula)", preset="maco")
    """
    count, channels, height, width = shape
    colors = matrix(channels, decorrelate).to(streams.device)
    if start is not None:
        values = from_image(start, colors)
        spectrum = torch.fft.rfft2(values)
        stored = None if magnitude is None else _read(magnitude, channels, height, width).to(values)
        phase, spread = spectrum.angle(), values.std((1, 2, 3), keepdim=True, correction=0)
        center = values.mean((1, 2, 3), keepdim=True)
        return _Maco(
            phase,
            spectrum.abs() if stored is None else stored,
            colors,
            (height, width),
            center,
            spread,
        )
    stored = (
        inverse(height, width).expand(channels, -1, -1)
        if magnitude is None
        else _read(magnitude, channels, height, width)
    )
    # The authors' code draws normal phases, whose waves agree in one corner and make a bright spot
    # there; uniform ones do not.
    phase = streams.uniform(channels, height, width // 2 + 1, low=-math.pi, high=math.pi)
    center = phase.new_zeros(count, 1, 1, 1)
    return _Maco(phase, stored.to(phase), colors, (height, width), center, center + contrast)


class _Maco(nn.Module):
    magnitude: Tensor
    colors: Tensor
    center: Tensor
    spread: Tensor
    middle: Tensor
    width: Tensor

    def __init__(
        self,
        phase: Tensor,
        magnitude: Tensor,
        colors: Tensor,
        size: tuple[int, int],
        center: Tensor,
        spread: Tensor,
    ) -> None:
        super().__init__()
        self.phase = nn.Parameter(phase)
        self.size = size
        # However far the phases are driven, their mean and deviation stay what they were at the
        # start.
        middle, width = _moments(phase)
        parts = {
            "magnitude": magnitude,
            "colors": colors,
            "center": center,
            "spread": spread,
            "middle": middle,
            "width": width,
        }
        for name, part in parts.items():
            self.register_buffer(name, part)

    def forward(self) -> Tensor:
        phase: Tensor = _Standardized.apply(self.phase, self.middle, self.width)
        values = torch.fft.irfft2(_Turned.apply(self.magnitude, phase), s=self.size)
        return to_image(_Standardized.apply(values, self.center, self.spread), self.colors)


class _Standardized(torch.autograd.Function):
    """Each image's values with a given mean and standard deviation (n 1 1 1).

    Forward and backward are written out, here and below: at 1280 px a step was mostly autograd's
    passes over these few formulas.
    """

    @staticmethod
    def forward(ctx: AutogradContext, values: Tensor, center: Tensor, spread: Tensor) -> Tensor:
        mean, deviation = _moments(values)
        ratio = spread / deviation
        ctx.save_for_backward(values, mean, deviation, ratio)
        return torch.addcmul(center - mean * ratio, values, ratio)

    @staticmethod
    def backward(ctx: AutogradContext, *above: Tensor) -> tuple[Tensor, None, None]:
        values, mean, deviation, ratio = ctx.saved_tensors
        (gradient,) = above
        places = (1, 2, 3)
        level = gradient.mean(places, keepdim=True)
        # Of (x - m) / (s + e): the gradient less its mean, less its share along x - m. Of the sums
        # over (x - m), only g's own is needed.
        along = (
            torch.linalg.vecdot(gradient.flatten(1), values.flatten(1)) / values[0].numel()
        ).view_as(mean) - level * mean
        slope = along * ratio / (deviation * (deviation - EPSILON))
        return (
            torch.addcmul(slope * mean - level * ratio, gradient, ratio).addcmul_(
                values, slope, value=-1
            ),
            None,
            None,
        )


class _Turned(torch.autograd.Function):
    """A spectrum of this magnitude and phase, whose gradient is asked for at the phase alone."""

    @staticmethod
    def forward(ctx: AutogradContext, magnitude: Tensor, phase: Tensor) -> Tensor:
        real, imaginary = phase.cos().mul_(magnitude), phase.sin().mul_(magnitude)
        ctx.save_for_backward(real, imaginary)
        return torch.complex(real, imaginary)

    @staticmethod
    def backward(ctx: AutogradContext, *above: Tensor) -> tuple[None, Tensor]:
        real, imaginary = ctx.saved_tensors
        return None, (above[0].imag * real).addcmul_(above[0].real, imaginary, value=-1)


def measure_magnitude(
    photos: Tensor, path: str | Path | None = None, *, decorrelate: bool = True
) -> Tensor:
    """The mean magnitude of the spectra of photos, c h w // 2 + 1, for `maco(magnitude=path)`.

    Args:
        photos: n c h w in [0, 1]; they are brought to 256 x 256.
        path: where to write it, as .npy.
        decorrelate: measure in colors that are independent in natural images.

    Example:
        measure_magnitude(torch.cat([convscope.load_image(path, size=256) for path in paths]),
        "magnitude.npy")
    """
    square = interpolate(
        photos.float(), (MEASURED, MEASURED), mode="bilinear", antialias=True, align_corners=False
    )
    values = from_image(square, matrix(photos.shape[1], decorrelate).to(photos.device))
    magnitude: Tensor = torch.fft.rfft2(values - values.mean((2, 3), keepdim=True)).abs().mean(0)
    if path is not None:
        np.save(path, magnitude.cpu().numpy(), allow_pickle=False)
    return magnitude


def _moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each image."""
    return (
        values.mean((1, 2, 3), keepdim=True),
        values.std((1, 2, 3), keepdim=True, correction=0) + EPSILON,
    )


def _read(path: str, channels: int, height: int, width: int) -> Tensor:
    """A measured magnitude, brought to the frequencies of another size."""
    try:
        with open(path, "rb") as file:
            array = np.load(file, allow_pickle=False)
            if isinstance(array, np.lib.npyio.NpzFile):
                array = array[array.files[0]]
    except DAMAGED as error:
        raise OptionError(f"The magnitude {path} cannot be read as an array: {error}") from None
    if array.ndim != 3 or len(array) != channels:
        raise OptionError(
            f"The magnitude in {path} has shape {array.shape}; {channels} channels of a real"
            " spectrum are needed."
        )
    spectrum = torch.from_numpy(array.astype(np.float32))
    rows, columns = spectrum.shape[1], (spectrum.shape[2] - 1) * 2
    # Times the frequency it is nearly flat, so that it can be interpolated; the rows are brought in
    # order for it.
    flat = (spectrum * frequencies(rows, columns)).roll(rows // 2, 1)
    # Half a cycle per pixel is the grid's border.
    down = torch.fft.fftfreq(height)[:, None].expand(height, width // 2 + 1) * 2
    right = torch.fft.rfftfreq(width)[None].expand(height, -1) * 4 - 1
    down = ((down + 1) * rows / 2) / (rows - 1) * 2 - 1
    grid = torch.stack([right, down], dim=-1)[None]
    return grid_sample(flat[None], grid, padding_mode="border", align_corners=True)[0] * inverse(
        height, width
    )
