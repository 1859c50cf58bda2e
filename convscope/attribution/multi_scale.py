from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.method import Method
from convscope.core import progress
from convscope.core.ranges import Zoom
from convscope.errors import OptionError, TargetError
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="base", heatmap="base")
def multi_scale(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    base: str = "grad_cam",
    inner: Method | None = None,
    scales: tuple[Zoom, ...] = (1.0, 1.5, 2.0),
) -> Tensor:
    """Any method averaged over the image at several sizes, for networks that take them (Ahn and
    Kwak, 2018, who train segmentation on such CAMs).

    A CAM of a larger image has more places, and small objects come to the size that the network
    knows. The base method's maps, of its channels and at the image's size (n c h w), are each
    divided by their largest absolute value and averaged, in [-1, 1]. Signs are kept, where Ahn and
    Kwak cut each map off at 0: what speaks against the class at one size then counts at all of
    them. What it explains is the network at all these sizes, not one answer.

    Args:
        base: the method to average; it takes its own options beside these, and `layer` where it has
            one.
        scales: factors of the image's height and width.

    Raises:
        OptionError: no such method, or no scales.
        ImageError: the network takes its own size only.
        TargetError: a target at a place of the photo or inside the network.

    Example:
        convscope.explain(model, "cat.jpg", method="multi_scale", base="finer_cam", target="tabby")
    """
    if not scales:
        raise OptionError("multi_scale needs scales, such as 1,1.5,2; none were given.")
    if any(choice.is_local or choice.layer is not None for choice in target.choices):
        raise TargetError(
            "multi_scale changes the image's size, which moves boxes, masks, pixels and units; ask"
            " for a class."
        )
    inner = inner or Method.of(base, probe)
    height, width = image.shape[-2:]
    maps_of_scales = []
    for scale in progress.track(scales, "scales", len(scales)):
        size = max(1, round(height * scale)), max(1, round(width * scale))
        probe.require_room(len(image), size, gradients=True)
        maps = inner(probe, _resized(image, size, "bicubic"), target)
        largest = maps.abs().amax((1, 2, 3), keepdim=True)
        scaled = maps / largest.clamp_min(torch.finfo(maps.dtype).tiny)
        maps_of_scales.append(_resized(scaled, (height, width), "bilinear"))
    return torch.stack(maps_of_scales).mean(0)


def _resized(images: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Images or maps (n c h w) at another size, antialiased where it is smaller."""
    if tuple(images.shape[-2:]) == size:
        return images
    # Antialiasing is there for 32 bits and more.
    wide = images if images.dtype == torch.float64 else images.float()
    return torch.nn.functional.interpolate(
        wide, size, mode=mode, align_corners=False, antialias=True
    ).to(images.dtype)
