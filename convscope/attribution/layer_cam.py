from __future__ import annotations

from einops import reduce
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import require_nonzero
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", single_run=True)
def layer_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """A CAM that also works at early, fine layers (Jiang et al., 2021).

    Every place of a channel is weighted by its own positive gradient: sum over channels of ReLU(g)
    A, n 1 h w, raw. Give several layers to fuse fine and coarse ones, as the paper does.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        layers = ["blocks.2", "blocks.4", "blocks.6"]
        convscope.explain(model, "cat.jpg", method="layer_cam", layer=layers)
    """
    activation, gradient = probe.activation_and_gradient(image, layer, target)
    heatmaps: Tensor = reduce(
        require_nonzero(gradient, layer).clamp_min(0) * activation, "n c h w -> n 1 h w", "sum"
    )
    return heatmaps
