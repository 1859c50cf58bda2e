from __future__ import annotations

import torch
from einops import reduce
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import require_nonzero
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", single_run=True)
def xgrad_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Grad-CAM whose weights follow from two axioms, sensitivity and conservation (Fu et al.,
    2020).

    A channel's weight is the mean of its gradient weighted by its own activation: sum(g A) /
    sum(A), so that the whole map sums to sum(g A). Raw, n 1 h w. Equals pytorch-grad-cam, but for
    the 1e-7 which that adds to every denominator; here only a channel that sums to 0 gets the
    weight 0.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="xgrad_cam", target="tabby")
    """
    activation, gradient = probe.activation_and_gradient(image, layer, target)
    total = reduce(activation, "n c h w -> n c 1 1", "sum")
    share = reduce(require_nonzero(gradient, layer) * activation, "n c h w -> n c 1 1", "sum")
    weight = torch.where(total == 0, 0, share / torch.where(total == 0, 1, total))
    heatmaps: Tensor = reduce(weight * activation, "n c h w -> n 1 h w", "sum")
    return heatmaps
