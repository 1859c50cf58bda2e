from __future__ import annotations

import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.metrics import register
from convscope.metrics._masked_image import seen_through
from convscope.metrics.metric_input import MetricInput


@register(better="lower")
def average_drop(case: MetricInput) -> Tensor:
    """The share of the class probability that is lost when the photo is seen through its heatmap
    (Chattopadhay et al., 2018).

    max(0, p - p') / p, in [0, 1], where p' is the probability of the network's input times the
    heatmap (positive part, brought to [0, 1]; what is cold becomes the training data's mean color).
    A map that is hot everywhere does best: read it beside a metric of place. Equals torch-cam's
    `avg_drop`.

    Raises:
        OptionError: what is asked about has no probability (a contrast, a unit, a value): a share
            of a score that may be 0 or less says nothing.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="average_drop")
    """
    if not case.target.as_probability().is_probability:
        raise OptionError(
            "average_drop is a share of a probability, and"
            f" {' and '.join(dict.fromkeys(case.target.titles()))} has none; ask about a class, or"
            " take insertion or deletion."
        )
    before, after = seen_through(case)
    return (before - after).clamp_min(0) / before.clamp_min(torch.finfo(before.dtype).tiny)
