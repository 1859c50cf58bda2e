from __future__ import annotations

from torch import Tensor

from convscope.metrics import register
from convscope.metrics._masked_image import seen_through
from convscope.metrics.metric_input import MetricInput


@register(better="higher")
def increase(case: MetricInput) -> Tensor:
    """Whether the class gets likelier when the photo is seen through its heatmap (Chattopadhay et
    al., 2018).

    1 or 0 for each photo; the mean over photos is the paper's increase in confidence. Of what has
    no probability (a contrast, a unit, a value), whether its score rises. Equals torch-cam's
    `conf_increase`.

    Example:
        convscope.evaluate(model, ["cat.jpg", "dog.jpg"], result, metric="increase")
    """
    before, after = seen_through(case)
    return (after > before).float()
