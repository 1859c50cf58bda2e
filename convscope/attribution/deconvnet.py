from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.probe import Probe
from convscope.probe.backward_rules import backward_rule
from convscope.questions.target import Target


@register(space="input", heatmap="max_abs", single_run=True, as_is=True)
def deconvnet(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """The score projected back to pixels by a deconvolutional network (Zeiler & Fergus, 2013).

    The gradient at the input, n c h w, where every rectifier passes back only positive gradients,
    whether its unit was open or not; max pooling goes back to where its maximum was. Equals
    Captum's `Deconvolution` where all rectifiers are `nn.ReLU` modules; Captum leaves ReLU6 and
    functional calls as they are, and here they follow the rule too.

    Raises:
        NoGradientError: the score does not depend on the image.
        RuleError: the network has no rectifier, so the rule would change nothing.

    Example:
        convscope.explain(model, "cat.jpg", method="deconvnet", target="tabby")
    """
    with backward_rule("deconvnet"):
        return probe.image_gradient(image, target)
