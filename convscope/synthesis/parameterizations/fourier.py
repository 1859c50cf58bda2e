from __future__ import annotations

from torch import Tensor, nn

from convscope.core.ranges import NonNegativeFloat
from convscope.synthesis.color_space import from_image, matrix, to_image
from convscope.synthesis.parameterizations import register
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.spectrum import Spectrum, entries


@register(noise="sd")
def fourier(
    shape: tuple[int, int, int, int],
    streams: RandomStreams,
    *,
    sd: NonNegativeFloat = 0.01,
    decay: float = 1.0,
    decorrelate: bool = True,
    start: Tensor | None = None,
) -> nn.Module:
    """The image's spectrum, each frequency scaled by 1 / frequency, in decorrelated color (Olah et
    al., 2017).

    Steps in it spread over all frequencies as natural images do, so that low ones are found first
    and noise is not.

    Args:
        sd: standard deviation of the spectrum it starts from.
        decay: power of the 1 / frequency scaling; 0 is none.
        decorrelate: use colors that are independent in natural images.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="fourier")
    """
    _, channels, height, width = shape
    colors = matrix(channels, decorrelate).to(streams.device)
    if start is not None:
        return _Fourier(Spectrum.of(from_image(start, colors), decay), colors)
    return _Fourier(
        Spectrum(sd * streams.normal(*entries(channels, height, width)), (height, width), decay),
        colors,
    )


class _Fourier(nn.Module):
    colors: Tensor

    def __init__(self, values: Spectrum, colors: Tensor) -> None:
        super().__init__()
        self.values = values
        self.register_buffer("colors", colors)

    def forward(self) -> Tensor:
        return to_image(self.values(), self.colors)
