from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.batches import singles
from convscope.errors import OptionError
from convscope.probe import Probe, gradient_of
from convscope.questions.target import Target

AFFINE = 1e-3
"""How far the score may be from an affine function of the maps, relative to its change, to count as
one."""


@register(space="layer", quick=True)
def cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Which places vote for the class, in a network that ends in global average pooling and one
    linear layer (Zhou et al., 2016).

    The layer's maps weighted with the class's row of the linear layer: n 1 h w at the layer's
    resolution, whose mean is the score without its bias. The weights are read off the gradient,
    which is exact there (so contrasts work too). Elsewhere CAM does not exist, and this is refused;
    Grad-CAM is CAM divided by the number of places.

    Raises:
        LayerError: the network has no such layer.
        OptionError: something other than average pooling and a linear layer follows the layer.

    Example:
        convscope.explain(model, "cat.jpg", method="cam", target="tabby")
    """
    linear = probe.constant_gradient(image, layer, target)
    if linear is not None and _is_even(linear[1]):
        return _weighted(*linear)
    # Pooling or a copy in between may hide from autograd that the score is linear: it is tried out.
    heatmaps = []
    for single, single_target in singles(image, target):
        partial = probe.partial_forward(single, layer)
        activation = partial.maps.detach().requires_grad_()
        with torch.enable_grad():
            gradient = gradient_of(
                single_target(partial(activation)), [activation], f"layer {layer!r}"
            )[0].float()
        activation = activation.detach().float()
        full, half, none = single_target.expand(3)(
            partial(
                activation
                * torch.tensor([1.0, 0.5, 0.0], device=single.device)[:, None, None, None]
            )
        )
        affine = (full + none - 2 * half).abs() <= AFFINE * ((full - none).abs() + full.abs())
        if not (_is_even(gradient) and bool(affine)):
            raise OptionError(
                "CAM needs a layer that only average pooling and one linear layer follow, and"
                f" {layer!r} is not one; use method='grad_cam'."
            )
        heatmaps.append(_weighted(activation, gradient))
    return torch.cat(heatmaps)


def _is_even(gradient: Tensor) -> bool:
    """Whether a gradient (n c h w) is the same at all places, as behind an average pooling."""
    difference = (gradient - gradient.mean((2, 3), keepdim=True)).abs().amax((1, 2, 3))
    return bool((difference <= AFFINE * gradient.abs().amax((1, 2, 3))).all())


def _weighted(activation: Tensor, gradient: Tensor) -> Tensor:
    """The maps weighted with the linear layer's row, whose mean is the score without its bias."""
    places = activation.shape[-2] * activation.shape[-1]
    weight = gradient.mean((2, 3), keepdim=True) * places
    return (weight * activation).sum(1, keepdim=True)
