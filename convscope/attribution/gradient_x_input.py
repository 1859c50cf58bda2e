from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", single_run=True, as_is=True)
def gradient_x_input(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """What each pixel adds to the class score, to first order (Shrikumar et al., 2016).

    The gradient of the score times the network's input, n c h w, signed, in units of the score. A
    pixel of the training data's mean color is 0 after preprocessing and gets 0. The heatmap is the
    sum over channels. Equals Captum's `InputXGradient`.

    Raises:
        NoGradientError: the score does not depend on the image.

    Example:
        convscope.explain(model, "cat.jpg", method="gradient_x_input", target="tabby")
    """
    return probe.image_gradient(image, target) * image.float()
