from __future__ import annotations

from typing import Literal

from torch import Tensor

from convscope.attribution import register
from convscope.attribution._captum import attribute, cells_of
from convscope.attribution.baselines import baseline_of
from convscope.core.ranges import Cells, PositiveInt
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", extra="captum")
def feature_ablation(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    cells: Cells = 7,
    baseline: Literal["mean", "black", "white", "blur"] = "mean",
    batch: PositiveInt = 8,
) -> Tensor:
    """How much the score drops when one cell of a grid is hidden (Kokhlikyan et al., Captum, 2020).

    Captum's `FeatureAblation`: n 1 h w, constant in each cell, signed, in units of the score.
    `occlusion` is the same with squares that overlap.

    Args:
        cells: the image is cut into cells x cells features.
        baseline: what hides a cell: mean color of the training data, black, white, or the image
            blurred.
        batch: how many changed images run at once; bounds the memory.

    Raises:
        ExtraError: captum is not installed.

    Example:
        convscope.explain(model, "cat.jpg", method="feature_ablation", target="tabby")
    """

    def arguments(single: Tensor) -> dict[str, object]:
        return {
            "baselines": baseline_of(probe.model, single, baseline),
            "feature_mask": cells_of(single, cells),
            "perturbations_per_eval": batch,
        }

    return attribute(probe, image, target, "FeatureAblation", arguments=arguments)[:, :1]
