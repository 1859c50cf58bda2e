from __future__ import annotations

from torch import Tensor

from convscope.synthesis.objectives import ForwardPass, register


@register(photo=True)
def caricature(forward: ForwardPass, *, layer: str, power: float = 1.0) -> Tensor:
    """A photo's own features, exaggerated: dot x cosine^power with its maps, at every place (Lucid,
    2018).

    Args:
        layer: the layer's name.
        power: of the cosine, which keeps the ascent to what the photo has.

    Example:
        convscope.caricature(model, "cat.jpg", layer="blocks.4")
    """
    maps, wanted = forward.maps[layer].flatten(1), forward.reference[layer].flatten(1)
    dot = (maps * wanted).sum(1)
    cosine: Tensor = dot / (maps.norm(dim=1) * wanted.norm(dim=1)).clamp_min(1e-8)
    return dot / wanted.pow(2).sum(1).clamp_min(1e-12) * cosine.clamp_min(0.1) ** power
