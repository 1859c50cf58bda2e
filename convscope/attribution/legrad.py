from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import enlarge
from convscope.networks.layout import image_size
from convscope.probe import Probe, gradient_of
from convscope.probe.attention import run_with_attention, unwindow
from convscope.questions.target import Target


@register(space="layer", needs="attention", single_run=True, positive=True, as_is=True)
def legrad(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """Which patches the score would like every layer of a transformer to attend to more (LeGrad;
    Bousselham et al., 2024).

    The positive part of the score's gradient at each layer's attention weights, averaged over
    heads, queries and layers: n 1 h w on the finest patch grid, never negative. The paper scores
    each layer by the classifier applied to that layer's own tokens; here the network's own score is
    used for all, which needs no knowledge of the classifier and leaves the earlier layers their
    real effect. For Swin the windows are put back where they lie in the image (as if no window had
    been padded).

    Raises:
        OptionError: the network has no self-attention.
        NoGradientError: the score does not depend on the attention.

    Example:
        model = load_model("timm:vit_base_patch16_224")
        convscope.explain(model, "cat.jpg", method="legrad", target="tabby")
    """
    layers, output = run_with_attention(probe, image.detach().clone().requires_grad_(), "legrad")
    gradients = gradient_of(target(output), [layer.weights for layer in layers], "the attention")
    heatmaps = []
    for layer, gradient in zip(layers, gradients, strict=True):
        wish = gradient.float().clamp_min(0).mean((1, 2))
        if len(wish) == len(image):
            heatmaps.append(probe.layout.to_maps(wish[:, :, None], "", image_size(image)))
        else:
            heatmaps.append(
                unwindow(wish, len(image), layer.shift, image.shape[-2] / image.shape[-1])
            )
    finest = max((maps.shape[-2:] for maps in heatmaps), key=lambda size: size[0] * size[1])
    return torch.stack(
        [enlarge(maps, finest) if maps.shape[-2:] != finest else maps for maps in heatmaps]
    ).mean(0)
