from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import first_component, require_nonzero
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", single_run=True)
def eigen_grad_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Eigen-CAM of what counts for the class: the first component of gradient times activation
    (Gildenblat, pytorch-grad-cam, 2021).

    Maps times their gradients, centered and projected on their first principal component: n 1 h w,
    raw. The sign, which a component does not have, is the one that agrees with HiRes-CAM (the sum
    over channels); pytorch-grad-cam leaves it to chance.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="eigen_grad_cam", target="tabby")
    """
    activation, gradient = probe.activation_and_gradient(image, layer, target)
    used = require_nonzero(gradient, layer) * activation
    return first_component(used, used.sum(1, keepdim=True))
