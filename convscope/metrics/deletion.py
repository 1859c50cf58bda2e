from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from convscope.attribution.baselines import baseline_of
from convscope.core.ranges import PositiveInt, Runs
from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput, area, order, swapped


@register(better="lower")
def deletion(
    case: MetricInput,
    *,
    baseline: Literal["blur", "mean", "black", "white"] = "mean",
    points: Runs = 32,
    batch: PositiveInt = 16,
) -> Tensor:
    """How fast the class goes away when the hottest pixels are covered first (Petsiuk et al.,
    2018).

    The area under the curve of the class probability, in [0, 1], while the pixels are replaced by a
    baseline. Scattered heat does well here, since many networks are thrown by scattered pixels
    whatever they mean; read it beside insertion.

    Args:
        baseline: what covers: the training data's mean color, the image blurred, black or white.
        points: steps from all to nothing.
        batch: how many images run at once.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="deletion")
    """
    curves = []
    for image, target, heatmap in case:
        images = swapped(
            image, baseline_of(case.probe.model, image, baseline), order(heatmap), points
        )
        curves.append(case.probabilities(images, target, batch, "deletion"))
    case.curves["deletion"] = torch.stack(curves)
    return torch.stack([area(curve) for curve in curves])
