"""One stream of random numbers for each image of a batch, all from one seed.

An image's stream is seeded by the seed and by what the image is of, so that its picture does not
depend on which other images are made in the same batch, nor on their order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor


class RandomStreams:
    """Random numbers per image: every draw has the images as its first axis. Drawn on the CPU, so
    that devices agree."""

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.device = torch.device(device)
        self.progress = 0.0
        """How far the work has come, 0 to 1, for what changes on the way."""

    @classmethod
    def of(
        cls, seed: int, keys: Sequence[str], device: torch.device | str = "cpu"
    ) -> RandomStreams:
        """A stream per key; equal keys get equal streams (see `keys`)."""
        return cls(
            [
                int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:7], "big")
                for key in keys
            ],
            device,
        )

    @staticmethod
    def keys(names: Sequence[str]) -> list[str]:
        """The names, each with how often it stood before, so that equal names get different
        streams."""
        counts: Counter[str] = Counter()
        keys = []
        for name in names:
            keys.append(f"{name} {counts[name]}")
            counts[name] += 1
        return keys

    def repeated(self, copies: int) -> RandomStreams:
        """For `copies` of each image in a row: each image's copies draw one after the other from
        its stream."""
        streams = RandomStreams([], self.device)
        streams._generators = [generator for generator in self._generators for _ in range(copies)]
        streams.progress = self.progress
        return streams

    def __len__(self) -> int:
        return len(self._generators)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers, n x shape."""
        numbers = torch.stack(
            [torch.rand(shape, generator=generator) for generator in self._generators]
        )
        return (numbers * (high - low) + low).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers, n x shape."""
        return torch.stack(
            [torch.randn(shape, generator=generator) for generator in self._generators]
        ).to(self.device)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Integers from low to high inclusive, n x shape."""
        return torch.stack(
            [
                torch.randint(low, high + 1, shape, generator=generator)
                for generator in self._generators
            ]
        ).to(self.device)

    def get_state(self) -> list[Tensor]:
        """Where each stream is, for `set_state`."""
        return [generator.get_state() for generator in self._generators]

    def set_state(self, states: list[Tensor]) -> None:
        """Draw again what was drawn since `get_state`."""
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(state)
