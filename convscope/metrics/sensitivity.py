from __future__ import annotations

import torch
from torch import Tensor

from convscope.core.ranges import NonNegativeFloat, Runs
from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput


@register(better="lower", needs="method")
def sensitivity(
    case: MetricInput, *, radius: NonNegativeFloat = 0.02, samples: Runs = 10
) -> Tensor:
    """How much the map changes when the image changes by what nobody sees (max-sensitivity; Yeh et
    al., 2019).

    The largest norm of the change of the raw map over the norm of the map, over random images
    within `radius` of each value. 0 is a map that does not move; above 1, the noise decides. As
    Captum's `sensitivity_max`, whose map is the method's own.

    Args:
        radius: of the uniform noise, in network input units.
        samples: how many noisy images per photo.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="sensitivity")
    """
    method = case.required_method
    worst = []
    for image, target, _ in case:
        generator = torch.Generator(image.device).manual_seed(case.seed)
        before = method(case.probe, image, target)
        changes = []
        for _ in range(samples):
            noise = (
                2
                * torch.rand(
                    image.shape, generator=generator, device=image.device, dtype=image.dtype
                )
                - 1
            ) * radius
            changes.append((method(case.probe, image + noise, target) - before).norm())
        worst.append(
            torch.stack(changes).max() / before.norm().clamp_min(torch.finfo(before.dtype).tiny)
        )
    return torch.stack(worst)
