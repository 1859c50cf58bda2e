from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.attribution.grad_cam import grad_cam
from convscope.attribution.guided_backprop import guided_backprop
from convscope.attribution.maps import enlarge
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", heatmap="max_abs", as_is=True)
def guided_grad_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """Fine detail, only where the class is (Selvaraju et al., 2017).

    Guided backprop (n c h w) times the positive part of Grad-CAM, resized bilinearly to the image.
    Captum's `GuidedGradCam` resizes with hard edges unless told `interpolate_mode="bilinear"`.

    Raises:
        LayerError: the network has no such layer.
        NoGradientError: the score does not depend on the layer or the image.
        RuleError: the network has no rectifier, so guided backprop would change nothing.

    Example:
        convscope.explain(model, "cat.jpg", method="guided_grad_cam", target="tabby")
    """
    place = grad_cam(probe, image, target, layer=layer).clamp_min(0)
    return guided_backprop(probe, image, target) * enlarge(place, image.shape[-2:])
