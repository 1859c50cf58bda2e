from __future__ import annotations

from math import ceil

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.batches import chunks_of_copies, singles
from convscope.attribution.maps import enlarge
from convscope.core.ranges import Cells, Fraction, PositiveInt, Runs
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input", positive=True)
def rise(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    masks: Runs = 4000,
    cells: Cells = 7,
    keep: Fraction = 0.5,
    batch: PositiveInt = 16,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which pixels were kept when the class stayed likely (Petsiuk et al., 2018).

    The image is multiplied by random smooth masks; the map is their average weighted by the class
    probability, divided by `keep`: n 1 h w, high everywhere where the class is likely whatever is
    hidden. It estimates a mean in [0, 1], which few masks overshoot (1.3 with 20 masks and keep at
    0.05). Targets that are contrasts, units, values or callables are used as they are, so their
    maps have their units and signs. The paper takes 4,000 masks (VGG16) and 8,000 (ResNet-50); the
    error falls as 1 / sqrt(masks).

    Args:
        masks: how many.
        cells: cells of the random grid per side, before it is smoothed and shifted.
        keep: probability that a cell is kept.
        batch: how many masked images run at once; bounds the memory.

    Raises:
        OptionError: masks or batch below 1.

    Example:
        convscope.explain(model, "cat.jpg", method="rise", masks=1000, seed=0)
    """
    generator = generator or torch.Generator(image.device).manual_seed(0)
    height, width = image.shape[-2:]
    cell = (ceil(height / cells), ceil(width / cells))
    whole = ((cells + 1) * cell[0], (cells + 1) * cell[1])
    heatmaps = []
    for single, single_target in singles(image, target.as_probability(), generator):
        total = torch.zeros(1, 1, height, width, device=image.device)
        for part in chunks_of_copies(probe, single, masks, batch, "RISE"):
            drawn = []
            for _ in range(part.stop - part.start):
                grid = enlarge(
                    (
                        torch.rand(1, 1, cells, cells, generator=generator, device=image.device)
                        < keep
                    ).float(),
                    whole,
                )
                top, left = (
                    int(torch.randint(0, side, (1,), generator=generator, device=image.device))
                    for side in cell
                )
                drawn.append(grid[..., top : top + height, left : left + width])
            mask = torch.cat(drawn)
            score = single_target(probe.output(probe.channels_last(single * mask.to(single))))
            total += (score[:, None, None, None] * mask).sum(0, keepdim=True)
        heatmaps.append(total / (masks * keep))
    return torch.cat(heatmaps)
