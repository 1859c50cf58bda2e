"""A method on many noisy copies of each image: the moments that SmoothGrad, SquareGrad and VarGrad
read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.attribution._method import Method
from convscope.attribution._work import chunks, fast, singles
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
    for one, wanted in singles(image, target, generator):
        sigma = noise * (one.max() - one.min())
        mean = spread = square = torch.zeros(())
        for part in chunks(samples, batch, inner.name + " on noisy copies"):
            count = part.stop - part.start
            draws = torch.stack(
                [
                    torch.randn(
                        one.shape[1:], generator=generator, device=one.device, dtype=one.dtype
                    )
                    for _ in range(count)
                ]
            )
            maps = inner(probe, fast(one + sigma * draws), wanted.expand(count))
            for seen, found in enumerate(maps, start=part.start + 1):
                step = found - mean
                mean = mean + step / seen
                spread = spread + step * (found - mean)
                square = square + (found**2 - square) / seen
        rows.append((mean, square, spread / samples))
    return Moments(*(torch.stack(part) for part in zip(*rows, strict=True)))
