from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution._captum import attribute, cells_of, enough
from convscope.attribution.baselines import baseline_of
from convscope.core.ranges import Cells, PositiveInt, Runs
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", extra="captum")
def kernel_shap(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    cells: Cells = 7,
    samples: Runs = 200,
    baseline: Literal["mean", "black", "white", "blur"] = "mean",
    batch: PositiveInt = 8,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Each cell's Shapley value, from one weighted linear regression (Lundberg & Lee, 2017).

    Captum's `KernelShap`: n 1 h w, constant in each cell, signed, in units of the score.

    Args:
        cells: the image is cut into cells x cells features.
        samples: random sets of hidden cells; at least one, better a few, for each cell.
        baseline: what hides a cell: mean color of the training data, black, white, or the image
            blurred.
        batch: how many changed images run at once; bounds the memory.

    Raises:
        OptionError: a single cell, or fewer samples than cells.
        ExtraError: captum is not installed.

    Example:
        convscope.explain(model, "cat.jpg", method="kernel_shap", target="tabby", seed=0)
    """
    if cells < 2:
        raise OptionError(f"kernel_shap compares cells; cells={cells} leaves one: give 2 or more.")
    enough("kernel_shap", samples, cells)
    generator = generator or torch.Generator(image.device).manual_seed(0)

    def arguments(single: Tensor) -> dict[str, object]:
        cover = baseline_of(probe.model, single, baseline)
        return {
            "baselines": cover,
            "feature_mask": cells_of(single, cells),
            "n_samples": samples,
            "perturbations_per_eval": batch,
        }

    return attribute(probe, image, target, "KernelShap", arguments=arguments, generator=generator)[
        :, :1
    ]
