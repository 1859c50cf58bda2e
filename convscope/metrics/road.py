from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.metrics import register
from convscope.metrics.metric_input import MetricInput, order

NEAR, DIAGONAL = 1 / 6, 1 / 12
"""Weights of a pixel's direct and diagonal neighbors (Rong et al., 2022)."""

NOISE = 0.01
"""Standard deviation of the noise on imputed pixels, which hides that they were imputed (Rong et
al., 2022)."""


@register(better="higher")
def road(case: MetricInput, *, shares: str = "20,40,60,80") -> Tensor:
    """What removing the coldest pixels spares, against removing the hottest: remove and debias
    (ROAD; Rong et al., 2022).

    Removed pixels are imputed from their neighbors (a linear system over all of them) with a little
    noise, so that the shape of what was removed does not give the class away. Mean over `shares` of
    (probability without the coldest - probability without the hottest) / 2, in [-0.5, 0.5]; 0
    without knowledge. As pytorch-grad-cam's `ROADCombined`, which takes 10 to 90 %.

    Args:
        shares: percentages of pixels to remove, separated by commas.

    Raises:
        OptionError: shares that are none.

    Example:
        convscope.evaluate(model, "cat.jpg", result, metric="road")
    """
    try:
        wanted = [float(part) / 100 for part in shares.split(",")]
    except ValueError:
        wanted = []
    if not wanted or not all(0 < share < 1 for share in wanted):
        raise OptionError(
            "road: shares must be percentages above 0 and below 100, separated by commas;"
            f" {shares!r} was given."
        )
    scores = []
    for image, target, heatmap in case:
        pixels = order(heatmap)
        generator = torch.Generator().manual_seed(case.seed)
        images = [
            imputed(image, ranked[: round(share * len(pixels))], generator)
            for share in wanted
            for ranked in (pixels.flip(0), pixels)
        ]
        score = target.as_probability()(case.probe.output(torch.cat(images))).view(-1, 2)
        scores.append(((score[:, 0] - score[:, 1]) / 2).mean())
    return torch.stack(scores)


def imputed(image: Tensor, pixels: Tensor, generator: torch.Generator) -> Tensor:
    """The image (1 c h w) with the given pixels replaced by the weighted mean of their neighbors,
    imputed or not, plus noise."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    height, width = image.shape[-2:]
    if not len(pixels):
        return image
    values = image[0].flatten(1).double().cpu().numpy()
    removed = np.full(height * width, -1)
    removed[pixels.cpu().numpy()] = np.arange(len(pixels))
    place = np.flatnonzero(removed >= 0)
    rows, columns, weights, known = [], [], [], np.zeros((len(place), len(values)))
    total = np.zeros(len(place))
    removed_pixels = removed[place]
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        row, column = place // width + down, place % width + right
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        weight = NEAR if 0 in (down, right) else DIAGONAL
        neighbor, here = (row * width + column)[inside], removed_pixels[inside]
        total[here] += weight
        open_ = removed[neighbor] >= 0
        rows.append(here[open_])
        columns.append(removed[neighbor[open_]])
        weights.append(np.full(open_.sum(), -weight))
        known[here[~open_]] += weight * values[:, neighbor[~open_]].T
    size = len(place)
    diagonal = np.arange(size)
    entries, places = (
        np.concatenate([*weights, total]),
        (
            np.concatenate([*rows, diagonal]),
            np.concatenate([*columns, diagonal]),
        ),
    )
    solved = spsolve(coo_matrix((entries, places), shape=(size, size)).tocsc(), known).reshape(
        size, -1
    )
    noise = NOISE * torch.randn(solved.shape, generator=generator, dtype=torch.float64)
    filled = image.clone(memory_format=torch.contiguous_format)
    filled[0].flatten(1)[:, pixels] = (torch.from_numpy(solved) + noise).T.to(image)
    return filled
