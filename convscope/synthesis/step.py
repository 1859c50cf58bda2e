"""One look at a batch of images: transform, run the network as far as needed, score, and subtract
penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import ImageError, ModelError, NoGradientError, OptionError
from convscope.probe import Probe
from convscope.probe.backward_rules import backward_rule
from convscope.synthesis import regularizers
from convscope.synthesis.objective import Objective
from convscope.synthesis.objectives import ForwardPass, Maps, evaluate
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import TransformSpec, apply

Penalty = tuple[str, float, dict[str, Any]]
"""A regularizer's name, its weight, and its parameters."""


MARGIN = 32
"""Pixels that a piece of a large image shares with each neighbor, at most."""


class OptimizationStep:
    """One evaluation: transform, run the network as far as needed, score, and subtract what is
    regularized."""

    def __init__(
        self,
        probe: Probe,
        objectives: Sequence[Objective],
        streams: RandomStreams,
        transforms: Sequence[TransformSpec] = (),
        penalties: Sequence[Penalty] = (),
        reference: dict[str, Tensor] | None = None,
    ) -> None:
        self.probe, self.objectives, self.streams = probe, objectives, streams
        self.transforms, self.penalties, self.reference = transforms, penalties, reference or {}
        self.layers = list(
            dict.fromkeys(layer for objective in objectives for layer in objective.layers)
        )
        self.complete = any(objective.reads_output for objective in objectives)
        self.own_size = False
        self.output: Any = None
        self.reached = torch.zeros(len(objectives), dtype=torch.bool)
        """Which images' own score had a gradient at the image in the last look, penalties and
        redirection left aside."""
        self._entered: Tensor | None = None

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        model = self.probe.model
        seen = apply(image, self.streams, self.transforms)
        if self.own_size:
            seen = nn.functional.interpolate(seen, model.size, mode="bilinear", align_corners=False)
        # In the memory order in which a prepared network's convolutions run.
        entered = self._entered = model.preprocess(seen).contiguous(
            memory_format=torch.channels_last
        )
        try:
            maps, self.output = self._run(entered)
        except ImageError:
            if self.own_size or tuple(seen.shape[-2:]) == tuple(model.size):
                raise
            # Some networks take their own size only (plain ViT, flattened heads), or multiples of a
            # window; for others it is too small.
            small = any(side < own for side, own in zip(seen.shape[-2:], model.size, strict=True))
            if small and self._takes_larger():
                raise
            self.own_size = True
            return self(image)
        copies = len(seen) // len(image)
        many = [objective for objective in self.objectives for _ in range(copies)]
        reference = _Reference(
            {name: _fitted(own, maps, name, copies) for name, own in self.reference.items()}
        )
        score = (
            evaluate(many, ForwardPass(model, seen, maps, self.output, reference))
            .view(len(image), copies)
            .mean(1)
        )
        value = score
        for name, weight, options in self.penalties:
            read = (
                model.preprocess(image)
                if regularizers.registry.traits(name).network_units
                else image
            )
            value = value - weight * regularizers.registry.get(name)(read, **options)
        return value, score

    def gradient(
        self, image: Tensor, tile: int | None = None, *, redirect: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The score (n) and the gradient of score less penalties at the image (n c h w); with
        `tile`, piece by piece.

        With `redirect`, an image that no gradient reaches is looked at once more through closed
        ReLUs. Pieces are cut anew at a random place each time, and the image closes on itself, so
        that no seam stays in one place.

        Raises:
            NoGradientError: no objective depends on the image.
        """
        before = self.streams.mark() if redirect else None
        score, found = self._pieces(image, tile)
        if before is not None and not bool(self.reached.all()):
            reached = self.reached
            self.streams.back(before)
            with backward_rule("redirected", required=False):
                helped = self._pieces(image, tile)[1]
            found = torch.where(reached.view(-1, 1, 1, 1), found, helped)
            self.reached = reached
        return score, found

    def _pieces(self, image: Tensor, tile: int | None) -> tuple[Tensor, Tensor]:
        self.reached = torch.zeros(len(image), dtype=torch.bool, device=image.device)
        height, width = image.shape[-2:]
        if tile is None or max(height, width) <= tile:
            return self._one(image)
        # A piece sees a margin of its neighbors, which is thrown away after: at its edge the
        # network's padding would show.
        margin = min(MARGIN, tile // 8, height, width)
        down, right = self.streams.integers(0, tile - 1, 2)[0].tolist()
        image = nn.functional.pad(image.roll((down, right), (2, 3)), [margin] * 4, mode="circular")
        found = image.new_empty(*image.shape[:2], height, width)
        total = torch.zeros(len(image), device=image.device)
        for rows in _cut(height, tile - 2 * margin):
            for columns in _cut(width, tile - 2 * margin):
                wide = [slice(side.start, side.stop + 2 * margin) for side in (rows, columns)]
                score, gradient = self._one(image[..., wide[0], wide[1]].contiguous())
                found[..., rows, columns] = gradient[
                    ..., margin : gradient.shape[-2] - margin, margin : gradient.shape[-1] - margin
                ]
                total += score * (
                    (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
                )
        return total, found.roll((-down, -right), (2, 3))

    def _one(self, image: Tensor) -> tuple[Tensor, Tensor]:
        leaf = image.clone().requires_grad_()
        value, score = self(leaf)
        entered, arrived = self._entered, None
        if value.requires_grad and entered is not None:
            found, arrived = torch.autograd.grad(value.sum(), [leaf, entered], allow_unused=True)
        if arrived is None:
            raise NoGradientError(
                f"{self.objectives[0]} does not depend on the image, so there is nothing to climb."
            )
        self.reached |= _moving(arrived, len(image))
        self._entered = None
        return score.detach(), found

    def _takes_larger(self) -> bool:
        """Whether the network runs on an image larger than its own size."""
        model = self.probe.model
        height, width = model.size
        try:
            self.probe.output(
                model.preprocess(
                    torch.full((1, model.channels, height + height // 2, width + width // 2), 0.5)
                )
            )
        except (ImageError, ModelError):
            return False
        return True

    def _run(self, entered: Tensor) -> tuple[Maps, Any]:
        if self.complete:
            maps, output = self.probe.activations_and_output(entered, self.layers)
        else:
            maps, output = self.probe.activations(entered, self.layers), None
        for found in maps.values():
            # An objective that picks channels makes its gradient in the other memory order, and
            # every layer before would follow it.
            if found.requires_grad and found.is_contiguous(memory_format=torch.channels_last):
                found.register_hook(_ordered)  # type: ignore[no-untyped-call]
        return Maps(maps), output


def _ordered(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def _moving(gradient: Tensor, images: int) -> Tensor:
    """Which images have a gradient other than 0 (or one that is no number); `gradient` may hold
    several crops of each."""
    each = (gradient.amax((1, 2, 3)) != 0) | (gradient.amin((1, 2, 3)) != 0)
    return each.view(images, -1).any(1)


class _Reference(dict[str, Tensor]):
    """Maps of a reference photo by layer; asking where there is none is an error of the user's."""

    def __missing__(self, name: str) -> Tensor:
        raise OptionError(
            f"The objective compares with a photo's maps at {name!r}, but no photo was given; pass"
            " photo=."
        )


def _fitted(reference: Tensor, maps: dict[str, Tensor], name: str, copies: int) -> Tensor:
    """A photo's maps, for copies of each image and at the size that transforms leave them."""
    if len(reference) > 1 and copies > 1:
        reference = reference.repeat_interleave(copies, 0)
    if name in maps and reference.shape[-2:] != maps[name].shape[-2:]:
        reference = nn.functional.interpolate(
            reference, maps[name].shape[-2:], mode="bilinear", align_corners=False
        )
    return reference


def _cut(length: int, tile: int) -> list[slice]:
    """A length in equal pieces of at most `tile`."""
    count = math.ceil(length / tile)
    edges = [round(place * length / count) for place in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]
