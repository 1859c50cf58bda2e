from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.errors import OptionError
from convscope.networks.layout import image_size
from convscope.probe import Probe
from convscope.probe.attention import run_with_attention
from convscope.questions.target import Target


@register(space="layer", needs="attention", single_run=True, positive=True, as_is=True)
def attention_rollout(probe: Probe, image: Tensor, target: Target) -> Tensor:
    """How much of each patch attention carries to the answer, for no class in particular (Abnar &
    Zuidema, 2020).

    The attention of every layer, averaged over heads, mixed half and half with the identity for the
    residual path, multiplied
    through: the row of the class token, or the mean row where there is none. n 1 h w on the patch
        grid, in [0, 1]; class and
    register tokens are dropped. Works wherever the attention is computed: fused, in
    `nn.MultiheadAttention`, or plainly.

    Raises:
        OptionError: the network has no self-attention, or only within windows (Swin), where nothing
            is rolled out; LeGrad works there.

    Example:
        model = load_model("timm:vit_base_patch16_224")
        convscope.explain(model, "cat.jpg", method="attention_rollout")
    """
    layers, _ = run_with_attention(probe, image, "attention_rollout")
    tokens = layers[0].weights.shape[-1]
    if any(
        layer.weights.shape[0] != len(image) or layer.weights.shape[-1] != tokens
        for layer in layers
    ):
        name = probe.model.name
        raise OptionError(
            f"attention_rollout needs attention between all tokens, and {name} attends within"
            " windows; use method='legrad'."
        )
    identity = torch.eye(tokens, device=image.device)
    rolled = identity
    for layer in layers:
        rolled = (layer.weights.detach().float().mean(1) + identity) / 2 @ rolled
    maps = probe.layout.to_maps(rolled.mean(1)[:, :, None], "", image_size(image))
    if maps.shape[2] * maps.shape[3] < tokens:
        maps = probe.layout.to_maps(rolled[:, 0, :, None], "", image_size(image))
    return maps
