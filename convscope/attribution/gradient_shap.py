from __future__ import annotations

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution._captum import attribute
from convscope.attribution.baselines import baseline_of
from convscope.core.ranges import NonNegativeFloat, Runs
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", extra="captum", as_is=True)
def gradient_shap(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    samples: Runs = 20,
    noise: NonNegativeFloat = 0.1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Approximate SHAP values: gradients at random points between the image and random baselines
    (Lundberg & Lee, 2017).

    Captum's `GradientShap` with four baselines (mean color, black, white, the image blurred): n c h
    w, signed, in units of the score.

    Args:
        samples: random points per image; they run as one batch.
        noise: standard deviation of the noise on the image, in network input units.

    Raises:
        ExtraError: captum is not installed.

    Example:
        convscope.explain(model, "cat.jpg", method="gradient_shap", target="tabby", seed=0)
    """
    generator = generator or torch.Generator(image.device).manual_seed(0)

    def arguments(single: Tensor) -> dict[str, object]:
        baselines = [
            baseline_of(probe.model, single, name) for name in ("mean", "black", "white", "blur")
        ]
        return {"baselines": torch.cat(baselines), "n_samples": samples, "stdevs": noise}

    return attribute(probe, image, target, "GradientShap", arguments=arguments, generator=generator)
