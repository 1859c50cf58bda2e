"""A layer's receptive field, measured: where in the input a gradient arrives from one place of the
layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.errors import ImageError, ModelError
from convscope.networks.model import Model
from convscope.probe.probe import Probe

NUM_NOISE_IMAGES = 3
"""Noise images whose gradients are added, since a closed ReLU hides a part of the field on each."""

STEP = 64
"""The input is widened by a multiple of this, where the network takes that, to about twice its
size: fields may be wider than the network's own input, and strides that divide it come out
exact."""


@dataclass(frozen=True)
class ReceptiveField:
    """The box that place (0, 0) sees, in input pixels (edges may lie outside), and how far it moves
    from place to place. None for an edge that could not be measured, because the field is wider
    than the image it was measured on."""

    top: float | None
    left: float | None
    bottom: float | None
    right: float | None
    stride: tuple[float, float]

    @property
    def extent(self) -> tuple[float, float] | None:
        """Its height and width in input pixels; None where an edge could not be measured."""
        if self.top is None or self.left is None or self.bottom is None or self.right is None:
            return None
        return self.bottom - self.top, self.right - self.left

    def box(
        self, row: int, column: int, size: tuple[int, int]
    ) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of what a place sees of an input of that size."""
        down, across = row * self.stride[0], column * self.stride[1]
        top = 0.0 if self.top is None else min(max(self.top + down, 0.0), size[0] - 1.0)
        left = 0.0 if self.left is None else min(max(self.left + across, 0.0), size[1] - 1.0)
        bottom = (
            float(size[0])
            if self.bottom is None
            else min(max(self.bottom + down, top + 1), float(size[0]))
        )
        right = (
            float(size[1])
            if self.right is None
            else min(max(self.right + across, left + 1), float(size[1]))
        )
        return top, left, bottom, right


def receptive_fields(
    model: Model, layers: Sequence[str], share: float = 1.0
) -> dict[str, ReceptiveField]:
    """The receptive field of each layer. With a `share` below 1 it is the smallest centered box
    that holds this share of the gradient (the effective field of Luo et al., 2016); with 1 it is
    all that has any."""
    with Probe(model) as probe:
        shapes = {name: probe.layers[name].shape for name in layers}
        spatial = [name for name in layers if shapes[name][1] * shapes[name][2] > 1]
        fields = {name: ReceptiveField(None, None, None, None, (0.0, 0.0)) for name in layers}
        for name in spatial:
            try:
                fields[name] = _measure(probe, name, share, STEP)
            except (ImageError, ModelError):
                fields[name] = _measure(probe, name, share, 0)
    return fields


def _measure(probe: Probe, name: str, share: float, step: int) -> ReceptiveField:
    model = probe.model
    height, width = (side + step * math.ceil(side / STEP) for side in model.size)
    generator = torch.Generator().manual_seed(0)
    shape = probe.layers[name].shape
    total = torch.zeros(height, width)
    rows = columns = 1
    for _ in range(NUM_NOISE_IMAGES):
        noise = torch.rand(1, model.channels, height, width, generator=generator)
        with torch.enable_grad():
            image = model.preprocess(noise).requires_grad_()
            maps = probe.activations(image, [name])[name]
            rows, columns = maps.shape[-2:]
            weight = torch.randn(maps.shape[1], generator=generator).to(maps)
            score = (maps[0, :, rows // 2, columns // 2] * weight).sum()
            (gradient,) = (
                torch.autograd.grad(score, [image], allow_unused=True)
                if score.requires_grad
                else (None,)
            )
        if gradient is not None:
            total += gradient[0].abs().sum(0).float().cpu()
    stride = (
        _stride(model.size[0], shape[1], height, rows),
        _stride(model.size[1], shape[2], width, columns),
    )
    top, bottom = _edges(total.sum(1), share, rows // 2 * stride[0])
    left, right = _edges(total.sum(0), share, columns // 2 * stride[1])
    return ReceptiveField(top, left, bottom, right, stride)


def _stride(size: int, places: int, larger_size: int, larger_places: int) -> float:
    """Pixels from place to place: by how many places a wider input gives, since unpadded
    convolutions lose some at the edges."""
    if larger_places > places:
        return (larger_size - size) / (larger_places - places)
    return float(max(1, round(size / places)))


def _edges(profile: Tensor, share: float, shift: float) -> tuple[float | None, float | None]:
    """First and last pixel that count, seen from place 0; None where the field goes beyond the
    image."""
    if not bool(profile.any()):
        return None, None
    if share >= 1:
        reached = profile.nonzero()[:, 0]
        first, last = int(reached[0]), int(reached[-1])
    else:
        outside = (1 - share) / 2 * float(profile.sum())
        first = int((profile.cumsum(0) <= outside).sum())
        last = len(profile) - 1 - int((profile.flip(0).cumsum(0) <= outside).sum())
    length = len(profile)
    return (first - shift if first > 0 else None), (last + 1 - shift if last < length - 1 else None)
