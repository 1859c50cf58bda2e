from __future__ import annotations

import torch
from einops import reduce
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.batches import singles
from convscope.probe import Probe, gradient_of
from convscope.questions.target import Target


@register(space="layer")
def shapley_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Grad-CAM with the curvature taken in: channels weighted by their Shapley values to second
    order (Cai, 2025).

    Channel weights are the spatial means of g - H A / 2, where H A is the Hessian of the score
    times the maps (one more backward pass): n 1 h w, raw. Where the rest of the network is
    piecewise linear H is 0 and this is Grad-CAM. Equals pytorch-grad-cam's `ShapleyCAM`; the
    paper's other utility, the logit plus its log-probability, can be given as a callable target.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="shapley_cam", target="tabby")
    """
    heatmaps = []
    for single, single_target in singles(image, target):
        partial = probe.partial_forward(single, layer)
        maps = partial.maps.detach().requires_grad_()
        with torch.enable_grad():
            score = single_target(partial(maps))
            gradient = gradient_of(score, [maps], f"layer {layer!r}", differentiable=True)[0]
            bend = None
            if gradient.requires_grad:
                bend = torch.autograd.grad(
                    gradient, maps, grad_outputs=maps.detach(), allow_unused=True
                )[0]
        slope = gradient.detach() - (0 if bend is None else bend / 2)
        weight = reduce(slope, "n c h w -> n c 1 1", "mean")
        heatmaps.append(reduce(weight * maps.detach(), "n c h w -> n 1 h w", "sum").float())
    return torch.cat(heatmaps)
