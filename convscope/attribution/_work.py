"""What several methods share: baselines, bounded batches, one image at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from convscope.core import progress
from convscope.errors import ComputeError, NoGradientError, OptionError
from convscope.networks.model import Model
from convscope.probe.malloc import keep_freed_memory
from convscope.questions.target import Target

Baseline = Literal["mean", "black", "white", "blur"]
"""What an image without information looks like."""

BLUR = 10 / 224
"""Standard deviation of the blurred baseline, as a share of the shorter side: no object of the
photo survives it."""


def baseline_of(model: Model, image: Tensor, name: str) -> Tensor:
    """An image without information (n c h w, network input): the training data's mean color, black,
    white, or the image blurred."""
    if name == "mean":
        return torch.zeros_like(image)
    if name in ("black", "white"):
        return model.preprocess(
            torch.full_like(image, float(name == "white"), dtype=torch.float32)
        ).to(image)
    if name == "blur":
        return blurred(image, BLUR * min(image.shape[-2:]))
    raise OptionError(f"There is no baseline {name!r}; there is: mean, black, white, blur.")


def blurred(image: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur (n c h w), borders mirrored."""
    for axis in (-1, -2):
        reach = min(math.ceil(3 * sigma), image.shape[axis] - 1)
        kernel = torch.exp(
            -0.5
            * (torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device) / sigma) ** 2
        )
        shape = (1, 1, 1, -1) if axis == -1 else (1, 1, -1, 1)
        weight = (kernel / kernel.sum()).view(shape).expand(image.shape[1], -1, -1, -1)
        padding = (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach)
        image = functional.conv2d(
            functional.pad(image, padding, mode="reflect"), weight, groups=image.shape[1]
        )
    return image


def singles(
    image: Tensor, target: Target, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Target]]:
    """Each image of a batch with its target; every one meets the same random draws, so a batch
    gives what single images give."""
    state = generator.get_state() if generator is not None else None
    for place in range(len(image)):
        if generator is not None and state is not None:
            generator.set_state(state)
        yield image[place : place + 1], target.at(place)


def chunks(total: int, batch: int, what: str) -> Iterator[slice]:
    """0 to `total` in slices of at most `batch`, reported as progress.

    Raises:
        OptionError: nothing to do, or batches of nothing.
    """
    if batch < 1 or total < 1:
        raise OptionError(
            f"{what}: batch and the number of runs must be 1 or more; {batch} and {total} were"
            " given."
        )
    progress.advance(what, 0, total)
    with keep_freed_memory():
        for start in range(0, total, batch):
            stop = min(start + batch, total)
            yield slice(start, stop)
            progress.advance(what, stop, total)


def fast(images: Tensor) -> Tensor:
    """The same images in the memory order that convolutions on a processor run fastest in."""
    return images.contiguous(memory_format=torch.channels_last)


def enlarge(maps: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    """Maps (n c h w) at another size, bilinear."""
    return functional.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)


def probability_target(target: Target) -> Target:
    """The same classes asked about by their probability; contrasts and callables stay what they
    are."""
    plain = [choice.against is None and choice.function is None for choice in target.choices]
    choices = tuple(
        replace(choice, probability=True) if yes else choice
        for choice, yes in zip(target.choices, plain, strict=True)
    )
    return Target(target.model, choices)


def require_nonzero(gradient: Tensor, layer: str) -> Tensor:
    """The gradient at a layer, unless it is zero at all places of an image: then a map made from it
    would say nothing.

    Raises:
        NoGradientError: it is (the score goes through other tokens, or through none of the layer's
            units).
    """
    if not bool(gradient.flatten(1).any(1).all()):
        raise NoGradientError(
            f"The score's gradient is zero at every place of layer {layer!r}; choose an earlier"
            " layer."
        )
    return gradient


def first_component(maps: Tensor, toward: Tensor) -> Tensor:
    """The first principal component of maps (n c h w) over places, n 1 h w; its sign is the one
    that agrees with `toward` (n 1 h w).

    From the smaller of the two Gram matrices, in float64: a singular value decomposition would take
    longer than the network.
    """
    rows = maps.detach().flatten(2).transpose(1, 2).cpu().double()
    rows = rows - rows.mean(1, keepdim=True)
    if not bool(torch.isfinite(rows).all()):
        raise ComputeError("The maps hold NaN or infinity, so they have no principal component.")
    wide = rows.shape[1] <= rows.shape[2]
    values, vectors = torch.linalg.eigh(rows @ rows.mT if wide else rows.mT @ rows)
    first = vectors[..., -1:]
    found = first * values[:, None, -1:].clamp_min(0).sqrt() if wide else rows @ first
    found = found[..., 0].to(maps).unflatten(1, maps.shape[-2:])[:, None]
    agrees = ((toward - toward.mean((2, 3), keepdim=True)) * found).sum(
        (1, 2, 3), keepdim=True
    ) >= 0
    return torch.where(agrees, found, -found)
