from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.attribution._captum import attribute
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", extra="captum", as_is=True)
def lrp(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """The score handed back layer by layer as relevance, down to the pixels (Bach et al., 2015).

    Captum's `LRP` with its epsilon rule: n c h w, signed. For networks made of convolutions, linear
    layers, poolings, batch norms and ReLU modules (VGG, AlexNet); Captum has no rule for others.
    Works on a copy of the network.

    Raises:
        ComputeError: a module that Captum has no rule for; the message names it.
        ExtraError: captum is not installed.

    Example:
        convscope.explain(load_model("torchvision:vgg16"), "cat.jpg", method="lrp", target="tabby")
    """
    return attribute(probe, image, target, "LRP", copied=True, arguments=lambda single: {})
