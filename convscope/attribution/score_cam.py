from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from convscope.attribution import register
from convscope.attribution.batches import chunks_of_copies, singles
from convscope.core.ranges import PositiveInt
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer")
def score_cam(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    layer: str,
    most: PositiveInt | None = None,
    batch: PositiveInt = 8,
) -> Tensor:
    """Each channel weighted by what the network says when it sees only what the channel saw; no
    gradient (Wang et al., 2020).

    Every map, resized to the image and scaled to [0, 1], multiplies the image; the weights are the
    softmax over channels of the class scores: n 1 h w, raw. One run for each channel with something
    in it: those that are constant all see the same empty image, which runs once. Equals
    pytorch-grad-cam's `ScoreCAM`, but that what rounding leaves of a constant channel is not blown
    up to an image; the paper's own score of an empty image is a constant that cancels in the
    softmax.

    Args:
        most: run only this many channels, those that vary most (Faster Score-CAM); all by default.
        batch: how many masked images run at once; bounds the memory.

    Raises:
        LayerError: the network has no such layer.

    Example:
        convscope.explain(model, "cat.jpg", method="score_cam", target="tabby")
    """
    heatmaps = []
    for single, single_target in singles(image, target):
        maps = probe.activations(single, [layer])[layer].float()
        moving = (maps.amax((2, 3)) > maps.amin((2, 3)))[0].nonzero()[:, 0]
        scores = single_target(probe.output(torch.zeros_like(single))).expand(maps.shape[1]).clone()
        if most is not None and 0 < most < len(moving):
            moving = moving[
                maps[0, moving].var((1, 2)).argsort(descending=True, stable=True)[:most]
            ]
            scores[:] = -torch.inf
        total = len(moving)
        parts = chunks_of_copies(probe, single, total, batch, "Score-CAM") if total else ()
        for part in parts:
            mask = functional.interpolate(
                maps[0, moving[part], None], single.shape[-2:], mode="bilinear", align_corners=True
            )
            low, high = mask.amin((2, 3), keepdim=True), mask.amax((2, 3), keepdim=True)
            scores[moving[part]] = single_target(
                probe.output(probe.channels_last(single * ((mask - low) / (high - low)).to(single)))
            )
        heatmaps.append((scores.softmax(0)[None, :, None, None] * maps).sum(1, keepdim=True))
    return torch.cat(heatmaps)
