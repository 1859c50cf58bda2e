"""Who is asked in `benchmarks.questions`: `explain` in several ways, and pytorch-grad-cam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

import convscope
from benchmarks._scenes import SIDE
from benchmarks.question_kinds import Question
from convscope.networks.model import Model
from convscope.results.arrays import Array

LEVELS = [f"backbone.fpn.layer_blocks.{level}" for level in range(3)]
LAST = "backbone.body.blocks.6"
"""The pyramid's levels, and the last layer before it."""

DRISE_MASKS, DRISE_CELLS = 250, 8
"""Fewer and coarser than the method's own, which run the detector 4,000 times a box."""


Contestant = Callable[[Question], Array]
"""From a question to a heatmap (h w) of any size."""


def ours(model: Model, **options: Any) -> Contestant:
    """`explain` with these options; without any, as a user calls it who chooses nothing."""

    def heat(question: Question) -> Array:
        result = convscope.explain(model, question.image[None], target=question.target, **options)
        heatmap: Array = result["heatmap"][0]
        return heatmap

    return heat


def d_rise(model: Model) -> Contestant:
    """D-RISE, less the smallest value of each map: its masks leave a floor everywhere, which its
    authors' figures scale away too."""
    contestant = ours(model, method="d_rise", masks=DRISE_MASKS, cells=DRISE_CELLS)

    def heat(question: Question) -> Array:
        heatmap = contestant(question)
        above: Array = heatmap - heatmap.min()
        return above

    return heat


def peers(
    kind: type, network: nn.Module, layer: nn.Module, target: Callable[[Question], Any]
) -> Contestant:
    """pytorch-grad-cam with its own target."""

    def heat(question: Question) -> Array:
        with kind(model=network, target_layers=[layer]) as cam:
            heatmap: Array = cam(
                question.image[None].clone().requires_grad_(), targets=[target(question)]
            )[0]
        return heatmap

    return heat


class LogitsOf(nn.Module):
    """A segmenter's logits alone, as pytorch-grad-cam's tutorial wraps it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)["out"]
        return logits


def box_contestants(model: Model) -> dict[str, Contestant]:
    """Ours and pytorch-grad-cam's, for the box of a detector."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import FasterRCNNBoxScoreTarget

    network: Any = model.network

    def target(question: Question) -> Any:
        return FasterRCNNBoxScoreTarget([question.label], [np.array(question.box)])

    body = network.backbone.body.blocks[6]
    return {
        "Convscope, by default": ours(model),
        "Convscope, layer_cam over the pyramid": ours(model, method="layer_cam", layer=LEVELS),
        "Convscope, hires_cam over the pyramid": ours(model, method="hires_cam", layer=LEVELS),
        "Convscope, hires_cam before the pyramid": ours(model, method="hires_cam", layer=LAST),
        "Convscope, grad_cam before the pyramid": ours(model, method="grad_cam", layer=LAST),
        "Convscope, saliency": ours(model, method="saliency"),
        f"Convscope, d_rise ({DRISE_MASKS} masks, less its minimum)": d_rise(model),
        "pytorch-grad-cam, EigenCAM (its tutorial)": peers(
            pytorch_grad_cam.EigenCAM, network, body, target
        ),
        "pytorch-grad-cam, GradCAM": peers(pytorch_grad_cam.GradCAM, network, body, target),
        "pytorch-grad-cam, HiResCAM": peers(pytorch_grad_cam.HiResCAM, network, body, target),
    }


def map_contestants(model: Model) -> dict[str, Contestant]:
    """Ours and pytorch-grad-cam's, for a pixel or a mask of a segmenter."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import SemanticSegmentationTarget

    network: Any = LogitsOf(model.network)

    def target(question: Question) -> Any:
        mask = question.mask
        if mask is None:
            mask = np.zeros((SIDE, SIDE), np.float32)
            mask[question.pixel[1], question.pixel[0]] = 1
        return SemanticSegmentationTarget(question.label, mask)

    body = network.network.backbone.body.blocks[6]
    finest = "backbone.fpn.layer_blocks.0"
    return {
        "Convscope, by default": ours(model),
        "Convscope, layer_cam at the finest level": ours(model, method="layer_cam", layer=finest),
        "Convscope, hires_cam before the pyramid": ours(model, method="hires_cam", layer=LAST),
        "Convscope, grad_cam before the pyramid": ours(model, method="grad_cam", layer=LAST),
        "Convscope, saliency": ours(model, method="saliency"),
        "pytorch-grad-cam, GradCAM (its tutorial)": peers(
            pytorch_grad_cam.GradCAM, network, body, target
        ),
        "pytorch-grad-cam, HiResCAM": peers(pytorch_grad_cam.HiResCAM, network, body, target),
    }
