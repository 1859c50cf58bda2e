from __future__ import annotations

from typing import Literal

from torch import Tensor

from convscope.attribution import register
from convscope.attribution._captum import attribute
from convscope.attribution._work import baseline_of
from convscope.probe import Probe
from convscope.target import Target


@register(space="input", extra="captum")
def deep_lift(probe: Probe, image: Tensor, target: Target, *, baseline: Literal["mean", "black", "white", "blur"] = "mean") -> Tensor:
    """How far each pixel moves the score from what it is without information, by finite differences (Shrikumar et al., 2017).

    Captum's `DeepLift` (rescale rule): n c h w, signed, in units of the score, summing to score(image) - score(baseline) where
    all activations are modules that run once. Works on a copy of the network, since Captum writes on its modules.

    Args:
        baseline: the image without information: mean colour of the training data, black, white, or blurred.

    Raises:
        ComputeError: the network is not made for it (an activation module used twice); Captum's reason is given.
        ExtraError: captum is not installed.

    Example:
        convscope.explain(model, "cat.jpg", method="deep_lift", target="tabby")
    """
    return attribute(
        probe, image, target, "DeepLift", copied=True, given=lambda one: {"baselines": baseline_of(probe.model, one, baseline)}
    )
