from __future__ import annotations

import torch
from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(batch="same")
def diversity(forward: ForwardPass, *, layer: str) -> Tensor:
    """How different the images of a batch are, by the cosine of their Gram matrices at a layer
    (Olah et al., 2017).

    Minus the mean cosine between an image's and each other image's Gram matrix of channels: 0 to
    -1. Distill's weight for the sum over pairs is 1e2, over a batch of 4.

    Args:
        layer: the layer whose textures should differ.

    Example:
        convscope.visualize(model, "blocks.3:11", diversity=4)
    """
    flat = forward.maps[layer].flatten(2)
    grams = torch.einsum("nck,ndk->ncd", flat, flat).flatten(1)
    grams = grams / grams.norm(dim=1, keepdim=True).clamp_min(1e-10)
    cosine: Tensor = grams @ grams.T
    others: Tensor = cosine.sum(1) - cosine.diagonal()
    return -others / max(len(flat) - 1, 1)
