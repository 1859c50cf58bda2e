from __future__ import annotations

from einops import reduce
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import require_nonzero
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", single_run=True)
def grad_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Where the class score would rise if the layer fired more (Selvaraju et al., 2017).

    Channel weights are the spatial means of the score's gradient; the map is the weighted sum of
    the layer's maps, n 1 h w at the layer's resolution. Unlike the paper's figure it is raw: no
    ReLU, no scaling, no resizing.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="grad_cam", target="tabby", layer="blocks.6")
    """
    activation, gradient = probe.activation_and_gradient(image, layer, target)
    weight = reduce(require_nonzero(gradient, layer), "n c h w -> n c 1 1", "mean")
    heatmaps: Tensor = reduce(weight * activation, "n c h w -> n 1 h w", "sum")
    return heatmaps
