from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

from convscope.core.ranges import NonNegativeFloat, PositiveInt
from convscope.synthesis.color_space import from_image, matrix, to_image
from convscope.synthesis.parameterizations import register
from convscope.synthesis.parameterizations.laplacian import larger
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.spectrum import Spectrum, entries


@register(together=True, noise="sd")
def shared(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    coarse: PositiveInt = 8,
    sd: NonNegativeFloat = 0.01,
    decay: float = 1.0,
    decorrelate: bool = True,
    start: Tensor | None = None,
) -> nn.Module:
    """One small base for all images of a batch, and a part of its own for each: a series that stays
    in register.

    As in Distill's Differentiable Image Parameterizations (Mordvintsev et al., 2018): things stay
    in their places from one image to the next. It is the one parameterization in which images
    depend on their batch.

    Args:
        coarse: how many times smaller the base is.
        sd: standard deviation of the spectra that it starts from.
        decay: power of the 1 / frequency scaling.
        decorrelate: use colors that are independent in natural images.

    Example:
        convscope.visualize(model, ["blocks.3:11", "blocks.3:40"], parameterization="shared")
    """
    count, channels, height, width = shape
    small = (-(-height // coarse), -(-width // coarse))
    colors = matrix(channels, decorrelate).to(streams.device)
    if start is None:
        # The sum over all streams, in double precision, so that the base does not depend on the
        # order of the images.
        drawn = (
            streams.normal(*entries(channels, *small)).double().sum(0, keepdim=True) / count**0.5
        )
        base = Spectrum(sd * drawn.float(), small, decay)
        residual = Spectrum(
            sd * streams.normal(*entries(channels, height, width)), (height, width), decay
        )
    else:
        values = from_image(start, colors)
        common = interpolate(values.mean(0, keepdim=True), small, mode="area")
        base, residual = (
            Spectrum.of(common, decay),
            Spectrum.of(values - larger(common, (height, width)), decay),
        )
    return _Shared(base, residual, colors)


class _Shared(nn.Module):
    colors: Tensor

    def __init__(self, base: Spectrum, residual: Spectrum, colors: Tensor) -> None:
        super().__init__()
        self.base, self.residual = base, residual
        self.register_buffer("colors", colors)

    def forward(self) -> Tensor:
        return to_image(self.residual() + larger(self.base(), self.residual.size), self.colors)
