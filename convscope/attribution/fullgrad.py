from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import enlarge
from convscope.errors import NoGradientError
from convscope.probe import Probe
from convscope.probe.function_overrides import FunctionOverrides
from convscope.probe.recorded_biases import RecordedBiases
from convscope.questions.target import Target


@register(space="input", single_run=True, positive=True, as_is=True)
def fullgrad(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    rescale: Literal["channel", "layer", "none"] = "channel",
) -> Tensor:
    """The whole score, shared among the pixels and the biases of every layer (Srinivas & Fleuret,
    2019).

    |gradient x input| plus, for every convolution and batch norm, |bias x gradient| at its own
    resolution, each resized bilinearly and summed: n 1 h w, never negative. A batch norm's bias is
    b - mean * w / std. No weight gets a gradient: a bias's is the one at its layer's output.
    `rescale="channel"` brings each channel's map to [0, 1] first, as the paper's formula and
    pytorch-grad-cam do (the latter misses subclasses of BatchNorm2d, and functional calls); "layer"
    is the authors' code.

    Args:
        rescale: bring every channel, every layer, or nothing to [0, 1] before summing.

    Raises:
        NoGradientError: the score does not depend on the image.

    Example:
        convscope.explain(model, "cat.jpg", method="fullgrad", target="tabby")
    """
    _ = probe.layers  # a first dry run must not be counted below
    biases = RecordedBiases()
    leaf = image.detach().clone().requires_grad_()
    with FunctionOverrides(biases.overrides()):
        _, output = probe.activations_and_output(leaf, [])
    places = [leaf, *(activation for activation, _ in biases.of_layers)]
    score = target(output)
    # Layers that the score does not read (other heads, what follows a unit) have no part in it.
    gradients = (
        torch.autograd.grad(score.sum(), places, allow_unused=True)
        if score.requires_grad
        else [None]
    )
    if gradients[0] is None:
        raise NoGradientError(
            "The score does not depend on the image, so it has no gradient there."
        )
    parts = [gradients[0] * image]
    for (_, bias), gradient in zip(biases.of_layers, gradients[1:], strict=True):
        if gradient is not None and len(gradient) == len(image):
            parts.append(bias[:, None, None] * gradient)
    total = torch.zeros_like(image[:, :1], dtype=torch.float32)
    for part in parts:
        part = part.detach().float().abs()
        if rescale != "none":
            axes = (2, 3) if rescale == "channel" else (1, 2, 3)
            part = part - part.amin(axes, keepdim=True)
            part = part / (part.amax(axes, keepdim=True) + 1e-7)
        total += enlarge(part.sum(1, keepdim=True), image.shape[-2:])
    return total
