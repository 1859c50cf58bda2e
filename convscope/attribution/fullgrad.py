from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from convscope.attribution import register
from convscope.attribution._calls import Calls
from convscope.attribution._work import enlarge
from convscope.probe import Probe, gradient_of
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
    biased: list[tuple[Tensor, Tensor]] = []

    def note(made: Tensor, bias: Tensor | None) -> Tensor:
        if bias is None or made.ndim != 4:
            return made
        biased.append((made, bias.detach()))
        return made.clone()

    def convolution(
        x: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **named: Any
    ) -> Tensor:
        return note(torch.conv2d(x, weight, bias, *rest, **named), bias)

    def norm(x: Tensor, mean: Tensor, var: Tensor, *rest: Any, **named: Any) -> Tensor:
        given = (
            dict(zip(("weight", "bias", "training", "momentum", "eps"), rest, strict=False)) | named
        )
        weight, bias = (given.get(name) for name in ("weight", "bias"))
        scaling = (1 if weight is None else weight) / (var + given.get("eps", 1e-5)).sqrt()
        return note(
            functional.batch_norm(x, mean, var, **given),
            (0 if bias is None else bias) - mean * scaling,
        )

    _ = probe.layers  # a first dry run must not be counted below
    leaf = image.detach().clone().requires_grad_()
    with Calls({functional.conv2d: convolution, functional.batch_norm: norm}):
        _, output = probe.activations_and_output(leaf, [])
    first, *others = gradient_of(target(output), [leaf, *(made for made, _ in biased)], "the image")
    parts = [
        first * image,
        *(
            bias[:, None, None] * gradient
            for (_, bias), gradient in zip(biased, others, strict=True)
        ),
    ]
    total = torch.zeros_like(image[:, :1], dtype=torch.float32)
    for part in parts:
        part = part.detach().float().abs()
        if rescale != "none":
            axes = (2, 3) if rescale == "channel" else (1, 2, 3)
            part = part - part.amin(axes, keepdim=True)
            part = part / (part.amax(axes, keepdim=True) + 1e-7)
        total += enlarge(part.sum(1, keepdim=True), image.shape[-2:])
    return total
