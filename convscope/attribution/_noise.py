"""A method on many noisy copies of each image: the moments that SmoothGrad, SquareGrad and VarGrad
read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.attribution.batches import chunks_of_copies, singles
from convscope.attribution.method import Method
from convscope.probe import Probe
from convscope.questions.target import Target


@dataclass(frozen=True)
class Moments:
    """Of a method's maps over the noise (each n c h w): the mean, the mean of the squares, and the
    variance."""

    mean: Tensor
    square: Tensor
    variance: Tensor


def noisy(
    probe: Probe,
    image: Tensor,
    target: Target,
    inner: Method,
    samples: int,
    noise: float,
    batch: int,
    generator: torch.Generator | None,
) -> Moments:
    """Run `inner` on `samples` noisy copies of each image, at most `batch` at once; moments by
    Welford's stable update."""
    generator = generator or torch.Generator(image.device).manual_seed(0)
    rows = []
    for single, single_target in singles(image, target, generator):
        sigma = noise * (single.max() - single.min())
        mean = spread = square = torch.zeros(())
        what = f"{inner.name} on noisy copies"
        for part in chunks_of_copies(probe, single, samples, batch, what):
            count = part.stop - part.start
            draws = torch.stack(
                [
                    torch.randn(
                        single.shape[1:],
                        generator=generator,
                        device=single.device,
                        dtype=single.dtype,
                    )
                    for _ in range(count)
                ]
            )
            maps = inner(
                probe, probe.channels_last(single + sigma * draws), single_target.expand(count)
            )
            for number, heatmaps in enumerate(maps, start=part.start + 1):
                step = heatmaps - mean
                mean = mean + step / number
                spread = spread + step * (heatmaps - mean)
                square = square + (heatmaps**2 - square) / number
        rows.append((mean, square, spread / samples))
    return Moments(*(torch.stack(part) for part in zip(*rows, strict=True)))
