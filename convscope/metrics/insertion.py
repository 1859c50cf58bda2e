from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from convscope.attribution.baselines import baseline_of
from convscope.core.ranges import PositiveInt, Runs
from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput, area, order, swapped


@register(better="higher")
def insertion(
    case: MetricInput,
    *,
    baseline: Literal["blur", "mean", "black", "white"] = "blur",
    points: Runs = 32,
    batch: PositiveInt = 16,
) -> Tensor:
    """How fast the class comes back when the hottest pixels are shown first (Petsiuk et al., 2018).

    The image is built up from a baseline, the hottest pixels first; the area under the curve of the
    class probability, in [0, 1]. The paper uncovers 224 pixels a step, and blurs a little less.

    Args:
        baseline: what is there before: the image blurred, the training data's mean color, black or
            white.
        points: steps from nothing to all.
        batch: how many images run at once.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="insertion")
    """
    curves = []
    for image, target, heatmap in case:
        images = swapped(
            baseline_of(case.probe.model, image, baseline), image, order(heatmap), points
        )
        curves.append(case.probabilities(images, target, batch, "insertion"))
    case.curves["insertion"] = torch.stack(curves)
    return torch.stack([area(curve) for curve in curves])
