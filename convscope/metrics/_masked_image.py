"""The image seen through its own heatmap: what average drop and increase compare."""

from __future__ import annotations

import torch
from torch import Tensor

from convscope.metrics.metric_input import MetricInput


def seen_through(case: MetricInput) -> tuple[Tensor, Tensor]:
    """The class probability of each image, and of the image times its heatmap (positive part,
    brought to [0, 1])."""
    heat = case.heatmap.clamp_min(0)
    heat = heat - heat.amin((1, 2), keepdim=True)
    heat = heat / heat.amax((1, 2), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    wanted = case.target.as_probability()
    before = wanted(case.probe.output(case.image))
    return before, wanted(case.probe.output(case.image * heat[:, None].to(case.image)))
