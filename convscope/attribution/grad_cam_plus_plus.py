from __future__ import annotations

import torch
from einops import reduce
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import require_nonzero
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", single_run=True)
def grad_cam_plus_plus(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Grad-CAM that counts every place where a channel speaks for the class, also a small one
    (Chattopadhay et al., 2018).

    Channel weights are the sum over places of alpha * ReLU(gradient), with the paper's closed form
    for Y = exp(S) (its eq. 19, exact where the rest of the network is piecewise linear): alpha =
    g^2 / (2 g^2 + sum(A) g^3) = 1 / (2 + sum(A) g). The factor exp(S), the same for a whole map, is
    left out, since it overflows. The map is n 1 h w, raw. pytorch-grad-cam adds 1e-6 to a
    denominator that is often far smaller, which makes its alpha nearly g^2; torch-cam sums A g^3
    instead of sum(A) g^3, and never applies the quotient. For maps below 0, where the form has a
    pole, a denominator not above 0 gives no weight.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="grad_cam_plus_plus", target="tabby")
    """
    activation, gradient = probe.activation_and_gradient(image, layer, target)
    denominator = 2 + reduce(activation, "n c h w -> n c 1 1", "sum") * require_nonzero(
        gradient, layer
    )
    alpha = torch.where(denominator > 0, 1 / denominator, 0)
    weight = reduce(alpha * gradient.clamp_min(0), "n c h w -> n c 1 1", "sum")
    heatmaps: Tensor = reduce(weight * activation, "n c h w -> n 1 h w", "sum")
    return heatmaps
