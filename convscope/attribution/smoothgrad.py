from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution._noise import noisy
from convscope.attribution.method import Method
from convscope.core.ranges import NonNegativeFloat, PositiveInt, Runs
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="base", heatmap="base")
def smoothgrad(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    base: str = "saliency",
    inner: Method | None = None,
    samples: Runs = 25,
    noise: NonNegativeFloat = 0.15,
    batch: PositiveInt = 8,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Any method averaged over noisy copies of the image, so that what flickers cancels (Smilkov et
    al., 2017).

    The mean of the base method's maps, of its shape and units. With `base="grad_cam_plus_plus"` it
    is Smooth Grad-CAM++ (Omeiza et al., 2019), which averages the derivatives where this averages
    the maps. The noise has no clipping, as in the paper.

    Args:
        base: the method to average; it takes its own options beside these, and `layer` where it has
            one.
        samples: noisy copies per image.
        noise: standard deviation of the noise as a share of the image's range (highest less lowest
            value); the paper's 10 to 20 %.
        batch: how many copies run at once; bounds the memory.

    Raises:
        OptionError: no such method, or samples below 1.

    Example:
        convscope.explain(model, "cat.jpg", method="smoothgrad", base="saliency", samples=25)
    """
    inner = inner or Method.of(base, probe)
    return noisy(probe, image, target, inner, samples, noise, batch, generator).mean
