from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.batches import chunks_of_copies, singles
from convscope.core.ranges import PositiveInt
from convscope.errors import LayerError
from convscope.probe import Probe
from convscope.questions.target import Target

ROUNDING = 1e-6
"""A change of the score, relative to it, that rounding alone makes in a larger batch."""


@register(space="layer")
def ablation_cam(
    probe: Probe, image: Tensor, target: Target, *, layer: str, batch: PositiveInt = 32
) -> Tensor:
    """Each channel weighted by how much the score drops when the channel is set to 0; no gradient
    (Desai & Ramaswamy, 2020).

    Weights are (score - score without the channel) / |score|: n 1 h w, raw. Only what follows the
    layer runs again, and not for channels that are 0 already. The paper divides by the score
    itself, which turns the map of a negative score round. pytorch-grad-cam sets a channel to -1e7
    below the layer's minimum where that is not 0; after a ReLU the two are equal.

    Args:
        batch: how many ablated activations run at once; bounds the memory.

    Raises:
        LayerError: the network has no such layer, or none of its channels changes the score.

    Example:
        convscope.explain(model, "cat.jpg", method="ablation_cam", target="tabby")
    """
    heatmaps = []
    for single, single_target in singles(image, target):
        partial = probe.partial_forward(single, layer)
        maps = partial.maps
        before = single_target(partial.output)
        firing = maps[0].flatten(1).any(1).nonzero()[:, 0]
        weight = torch.zeros(maps.shape[1], device=maps.device)
        total = len(firing)
        parts = chunks_of_copies(probe, single, total, batch, "Ablation-CAM") if total else ()
        for part in parts:
            without = maps.repeat(part.stop - part.start, 1, 1, 1)
            without[torch.arange(len(without)), firing[part]] = 0
            weight[firing[part]] = before - single_target(partial(without))
        if weight.abs().max() <= ROUNDING * before.abs().max():
            raise LayerError(
                f"No channel of layer {layer!r} changes the score; choose an earlier layer."
            )
        share = weight / before.abs().clamp_min(torch.finfo(weight.dtype).tiny)
        heatmaps.append((share[None, :, None, None] * maps.float()).sum(1, keepdim=True))
    return torch.cat(heatmaps)
