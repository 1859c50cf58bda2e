from __future__ import annotations

from torch import Tensor

from convscope.attribution import register
from convscope.attribution.maps import first_component
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", quick=True)
def eigen_cam(probe: Probe, image: Tensor, target: Target, *, layer: str) -> Tensor:
    """The one pattern of places that explains most of what a layer does, for no class in particular
    (Muhammad & Yeasin, 2020).

    The layer's maps projected on their first principal component over places: n 1 h w, raw, and the
    network stops after the layer. The maps are centered first, as in pytorch-grad-cam and unlike
    the paper's formula. A component has no sign of its own; here the map rises where the layer is
    more active (pytorch-grad-cam leaves the sign to chance).

    Raises:
        LayerError: the network has no such layer.

    Example:
        convscope.explain(model, "cat.jpg", method="eigen_cam")
    """
    maps = probe.activations(image, [layer])[layer].float()
    return first_component(maps, maps.sum(1, keepdim=True))
