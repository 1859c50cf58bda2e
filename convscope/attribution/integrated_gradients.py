from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.baselines import baseline_of
from convscope.attribution.batches import chunks_of_copies, singles
from convscope.core.ranges import Points, PositiveInt
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input")
def integrated_gradients(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    baseline: Literal["mean", "black", "white", "blur"] = "mean",
    steps: Points = 50,
    batch: PositiveInt = 8,
) -> Tensor:
    """How the score's rise from an image without information is shared among the pixels
    (Sundararajan et al., 2017).

    The gradient is averaged on the straight way from the baseline to the image, at Gauss-Legendre
    points, and multiplied by their difference: n c h w, signed, in units of the score. All of it
    should sum to score(image) - score(baseline); the result's table says how far it does not
    (`completeness_error`, in units of the score): more steps make that smaller. Equals Captum's
    default (`gausslegendre`, 50 steps), which runs all steps as one batch, but for rounding: in
    float32 that moves single units over the kink of a ReLU, about 2e-3 of the largest value on
    ResNet-50; in float64 both agree.

    Args:
        baseline: the image without information: mean color of the training data (0 after
            preprocessing), black, white, or blurred.
        steps: points on the way.
        batch: how many of them run at once; bounds the memory.

    Raises:
        NoGradientError: the score does not depend on the image.

    Example:
        convscope.explain(model, "cat.jpg", method="integrated_gradients", steps=50)
    """
    points, weights = (
        torch.from_numpy(part).to(image) / 2 for part in np.polynomial.legendre.leggauss(steps)
    )
    heatmaps = []
    for single, single_target in singles(image, target):
        start = baseline_of(probe.model, single, baseline)
        way = single - start
        total = torch.zeros_like(single, dtype=torch.float32)
        for part in chunks_of_copies(probe, single, steps, batch, "integrated gradients"):
            along = start + (points[part, None, None, None] + 0.5) * way
            gradient = probe.image_gradient(probe.channels_last(along), single_target)
            total += (weights[part, None, None, None] * gradient).sum(0, keepdim=True)
        heatmaps.append(total * way)
        low, high = (float(single_target(probe.output(end))) for end in (start, single))
        probe.note("completeness_error", float(heatmaps[-1].sum()) - (high - low))
    return torch.cat(heatmaps)
