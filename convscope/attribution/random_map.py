from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.batches import singles
from convscope.core.ranges import Cells
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="layer", quick=True, positive=True)
def random_map(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    cells: Cells = 7,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Nothing at all, evenly random: the floor that a method has to be better than.

    Uniform numbers in [0, 1), n 1 h w; the network is not asked. A measurement in which a method
    does not beat this says that the method, or the measurement, tells nothing.

    Args:
        cells: rows and columns of the map.

    Example:
        result = convscope.explain(model, "cat.jpg", method="random_map")
        convscope.evaluate(model, "cat.jpg", result, metric="insertion")
    """
    generator = generator or torch.Generator(image.device).manual_seed(0)
    rows = singles(image, target, generator)
    return torch.cat(
        [torch.rand(1, 1, cells, cells, generator=generator, device=image.device) for _ in rows]
    )
