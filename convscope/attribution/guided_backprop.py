from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.probe import Probe
from convscope.probe.backward_rules import backward_rule
from convscope.questions.target import Target


@register(space="input", heatmap="max_abs", single_run=True, as_is=True)
def guided_backprop(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """Fine detail that raises the score through open units only (Springenberg et al., 2014).

    The gradient at the input, n c h w, where every rectifier passes back only positive gradients
    through units that are open. Sharp, but mostly an edge detector: it hardly depends on the class
    or on late weights (Adebayo et al., 2018). Equals Captum's `GuidedBackprop` where all rectifiers
    are `nn.ReLU` modules; Captum leaves ReLU6 and functional calls as they are, without a word, and
    here they follow the rule too.

    Raises:
        NoGradientError: the score does not depend on the image.
        RuleError: the network has no rectifier, so the rule would change nothing.

    Example:
        convscope.explain(model, "cat.jpg", method="guided_backprop", target="tabby")
    """
    with backward_rule("guided"):
        return probe.image_gradient(image, target)
