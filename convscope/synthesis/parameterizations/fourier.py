from __future__ import annotations

import torch
from torch import Tensor, nn

from convscope.core.ranges import NonNegativeFloat, PositiveFloat
from convscope.synthesis.color_space import from_image, matrix, rms_of, to_image
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
    max_rms: PositiveFloat | None = None,
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
        max_rms: an image whose values before the sigmoid have a larger root mean square (gray has
            0) is scaled down to it, so that the ascent looks for form and not for contrast; 0.85
            is a standard deviation of the pixels of about 0.17. A photo that is started from keeps
            its own. By default there is no bound.

    Example:
        convscope.visualize(model, "blocks.3:11", parameterization="fourier")
    """
    _, channels, height, width = shape
    colors = matrix(channels, decorrelate).to(streams.device)
    bound = None if max_rms is None else torch.full((1, 1, 1, 1), max_rms, device=colors.device)
    if start is not None:
        if bound is not None:
            bound = torch.maximum(rms_of(from_image(start, torch.eye(channels).to(start))), bound)
        return _Fourier(Spectrum.of(from_image(start, colors), decay), colors, bound)
    return _Fourier(
        Spectrum(sd * streams.normal(*entries(channels, height, width)), (height, width), decay),
        colors,
        bound,
    )


class _Fourier(nn.Module):
    colors: Tensor
    max_rms: Tensor | None

    def __init__(self, values: Spectrum, colors: Tensor, max_rms: Tensor | None) -> None:
        super().__init__()
        self.values = values
        self.register_buffer("colors", colors)
        self.register_buffer("max_rms", max_rms)

    def forward(self) -> Tensor:
        return to_image(self.values(), self.colors, self.max_rms)
