from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution._noise import noisy
from convscope.attribution.method import Method
from convscope.core.ranges import NonNegativeFloat, PositiveInt, Runs
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="base", heatmap="base", positive=True)
def vargrad(
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
    """How much any method's maps vary over noisy copies of the image (Adebayo et al., 2018).

    The variance of the maps (the mean of the squares less the square of the mean), of the base
    method's shape, in its units squared; never negative. The same as Captum's
    `NoiseTunnel(nt_type="vargrad")`.

    Args:
        base: the method whose maps vary; it takes its own options beside these, and `layer` where
            it has one.
        samples: noisy copies per image.
        noise: standard deviation of the noise as a share of the image's range (highest less lowest
            value).
        batch: how many copies run at once; bounds the memory.

    Raises:
        OptionError: no such method, or samples below 2.

    Example:
        convscope.explain(model, "cat.jpg", method="vargrad", base="saliency")
    """
    if samples < 2:
        raise OptionError(
            f"vargrad: one copy has no variance; samples must be 2 or more, {samples} was given."
        )
    inner = inner or Method.of(base, probe)
    return noisy(probe, image, target, inner, samples, noise, batch, generator).variance
