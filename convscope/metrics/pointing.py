from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from convscope.core.ranges import NonNegativeInt
from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput


@register(better="higher", needs="mask")
def pointing(case: MetricInput, *, tolerance: NonNegativeInt = 15) -> Tensor:
    """Whether the hottest pixel lies on the object (Zhang et al., 2016).

    1 or 0 for each photo: the pointing game. A pixel within `tolerance` of the mask counts as on
    it.

    Args:
        tolerance: in pixels of the network's input; the paper's 15.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="pointing", mask="cat_mask.png")
    """
    near = functional.max_pool2d(
        case.where.float()[:, None], 2 * tolerance + 1, 1, tolerance
    ).flatten(1)
    hottest = case.heatmap.flatten(1).argmax(1, keepdim=True)
    return near.gather(1, hottest)[:, 0]
