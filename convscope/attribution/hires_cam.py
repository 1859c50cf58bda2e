from __future__ import annotations

from einops import reduce
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import require_nonzero
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", single_run=True)
def hires_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Exactly the places of a layer that the score used, to first order (Draelos & Carin, 2020).

    Gradient times activation at every place, summed over channels: n 1 h w, raw and signed.
    Grad-CAM averages the gradient over places first and so may light up places that did not count;
    where only average pooling and a linear layer follow, the two agree.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="hires_cam", target="tabby")
    """
    activation, gradient = probe.activation_and_gradient(image, layer, target)
    heatmaps: Tensor = reduce(
        require_nonzero(gradient, layer) * activation, "n c h w -> n 1 h w", "sum"
    )
    return heatmaps
