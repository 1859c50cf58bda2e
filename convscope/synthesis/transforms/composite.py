from __future__ import annotations

from torch import Tensor

from convscope.core.ranges import NonNegativeFloat
from convscope.synthesis.color_space import matrix, to_image
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.spectrum import Spectrum, entries
from convscope.synthesis.transforms import register


@register(alpha=True)
def composite(images: Tensor, streams: RandomStreams, *, sd: NonNegativeFloat = 0.5) -> Tensor:
    """An image with opacity (n c+1 h w) on a new random background at each step, so that it must
    stand for itself.

    The background is 1 / frequency noise in natural colors (Mordvintsev et al., 2018). It belongs
    before the transforms that move the image.

    Args:
        sd: standard deviation of the background's spectrum; 0 is plain gray.
    """
    image, opacity = images[:, :-1], images[:, -1:]
    _, channels, height, width = image.shape
    spectrum = streams.normal(*entries(channels, height, width))
    background = to_image(
        Spectrum(sd * spectrum, (height, width), 1.0)(), matrix(channels, True).to(images.device)
    ).detach()
    return image * opacity + background * (1 - opacity)
