from __future__ import annotations

from math import ceil
from typing import Literal

import torch
from torch import Tensor

from convscope.attribution import register
from convscope.attribution.baselines import baseline_of
from convscope.attribution.batches import chunks_of_copies, singles
from convscope.core.ranges import PositiveInt
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.questions.target import Target


@register(space="input")
def occlusion(
    probe: Probe,
    image: Tensor,
    target: Target,
    *,
    window: PositiveInt | None = None,
    stride: PositiveInt | None = None,
    baseline: Literal["mean", "black", "white", "blur"] = "mean",
    batch: PositiveInt = 16,
) -> Tensor:
    """How much the score drops when a square of the image is covered (Zeiler & Fergus, 2013).

    A square slides over the image; each pixel gets the mean drop over the squares that covered it:
    n 1 h w, signed, in units of the score. The last squares are cut off by the border. Equals
    Captum's `Occlusion`, which says it per channel.

    Args:
        window: side of the square in pixels; by default a seventh of the shorter side.
        stride: pixels between squares; by default half the window.
        baseline: what covers: mean color of the training data, black, white, or the image blurred.
        batch: how many covered images run at once; bounds the memory.

    Raises:
        OptionError: a window larger than the image, or a stride larger than the window, which would
            leave pixels uncovered.

    Example:
        convscope.explain(model, "cat.jpg", method="occlusion", window=32, stride=16)
    """
    height, width = image.shape[-2:]
    window = window or max(1, min(height, width) // 7)
    stride = stride or max(1, window // 2)
    if not 1 <= stride <= window <= min(height, width):
        most = min(height, width)
        raise OptionError(
            f"occlusion: 1 <= stride <= window <= {most} must hold; stride {stride}, window"
            f" {window} were given."
        )
    squares = _squares(height, width, window, stride)
    heatmaps = []
    for single, single_target in singles(image, target):
        cover, before = (
            baseline_of(probe.model, single, baseline)[0],
            single_target(probe.output(single)),
        )
        total, count = torch.zeros(2, 1, 1, height, width, device=image.device)
        for part in chunks_of_copies(probe, single, len(squares), batch, "occlusion"):
            covered = single.repeat(part.stop - part.start, 1, 1, 1)
            for copy, (row, column) in zip(covered, squares[part], strict=True):
                copy[:, row, column] = cover[:, row, column]
            drops = before - single_target(probe.output(probe.channels_last(covered)))
            for drop, (row, column) in zip(drops, squares[part], strict=True):
                total[..., row, column] += drop
                count[..., row, column] += 1
        heatmaps.append(total / count)
    return torch.cat(heatmaps)


def _squares(height: int, width: int, window: int, stride: int) -> list[tuple[slice, slice]]:
    """Rows and columns of each square; the last ones reach over the border."""
    rows, columns = (
        range(0, stride * (ceil((side - window) / stride) + 1), stride) for side in (height, width)
    )
    return [
        (slice(row, row + window), slice(column, column + window))
        for row in rows
        for column in columns
    ]
