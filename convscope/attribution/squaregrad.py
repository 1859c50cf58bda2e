from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution._noise import noisy
from convscope.attribution.method import Method
from convscope.core.ranges import NonNegativeFloat, PositiveInt, Runs
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="base", heatmap="base", positive=True)
def squaregrad(
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
    """Any method's squared maps averaged over noisy copies of the image (Hooker et al., 2019).

    The mean of the squares, of the base method's shape, in its units squared; never negative. Where
    the sign flickers with the noise, SmoothGrad cancels what this keeps. The same as Captum's
    `NoiseTunnel(nt_type="smoothgrad_sq")`.

    Args:
        base: the method to average; it takes its own options beside these, and `layer` where it has
            one.
        samples: noisy copies per image.
        noise: standard deviation of the noise as a share of the image's range (highest less lowest
            value).
        batch: how many copies run at once; bounds the memory.

    Raises:
        OptionError: no such method, or samples below 1.

    Example:
        convscope.explain(model, "cat.jpg", method="squaregrad", base="saliency")
    """
    inner = inner or Method.of(base, probe)
    return noisy(probe, image, target, inner, samples, noise, batch, generator).square
