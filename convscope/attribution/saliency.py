from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", heatmap="max_abs", single_run=True, as_is=True)
def saliency(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """Which pixels change the class score fastest (Simonyan et al., 2013).

    The gradient of the unnormalized score at the network's input, n c h w, signed, in score per
    unit of normalized input; one backward pass for the whole batch. The heatmap is the paper's:
    absolute value, maximum over channels.

    Raises:
        NoGradientError: the score does not depend on the image.

    Example:
        convscope.explain(model, "cat.jpg", method="saliency", target="tabby")
    """
    return probe.image_gradient(image, target)
