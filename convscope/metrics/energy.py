from __future__ import annotations

from torch import Tensor

from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput


@register(better="higher", needs="mask")
def energy(case: MetricInput) -> Tensor:
    """The share of the heat that lies on the object (energy-based pointing; Wang et al., 2020).

    Positive heat inside the mask over all positive heat, in [0, 1]. A map without positive heat
    says nothing about the place and gets what a flat one gets: the mask's share of the area.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="energy", mask="cat_mask.png")
    """
    heat, mask = case.heatmap.clamp_min(0).flatten(1), case.where.flatten(1).float()
    total = heat.sum(1)
    heat = heat + (total == 0)[:, None].float()
    return (heat * mask).sum(1) / heat.sum(1)
