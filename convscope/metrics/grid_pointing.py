from __future__ import annotations

from torch import Tensor

from convscope.metrics import register
from convscope.metrics.energy import energy
from convscope.metrics.metric_input import MetricInput


@register(better="higher", needs="mask")
def grid_pointing(case: MetricInput) -> Tensor:
    """Of several photos tiled into one, the share of positive heat in the tile of the class asked
    about (Boehle et al., 2021).

    In [0, 1]; without knowledge it is one over the number of tiles. The mask is the tile;
    `benchmark_attribution` makes the tiles. Like `energy`, but the rest of the picture holds other
    classes, so that a map which only finds objects fails.

    Example:
        convscope.benchmark_attribution(model, "photos", methods="grad_cam", metric="grid_pointing")
    """
    return energy(case)
