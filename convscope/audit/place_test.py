"""What answers do without the place that a group looks at, and other photos with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from convscope.atlas.scan.read_ahead import read_photo
from convscope.audit.clustering import Assignment
from convscope.audit.explainer import ExplainedPhoto
from convscope.audit.reasons import LEAST_PHOTOS, Group
from convscope.audit.removal import fill
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy

MOST_PHOTOS = 24
"""Photos of a group, and others, that are asked again."""

HALF = 0.5
"""A cluster's place is where its heat is above this share of its maximum."""

GROWTH = 1.0
"""By so many cells the place of photos with heat at cells of their own is grown: what stands there
reaches over the cells' borders."""

LEAST_EFFECT = 0.1
"""By so much more the probability of a placed group's class must rise with the place put into other
photos than with the same place of photos that are not of the group, before the place is called its
reason; where nothing can be put into others, and of clusters, by so much more it must fall without
the place than that of other photos' classes does."""


class Effect(NamedTuple):
    """Share of answers that change, and the mean fall of their probability."""

    changed: float
    drop: float


@dataclass(frozen=True)
class PlaceTest:
    """Asks the network about photos without a group's place, or with that of others."""

    model: Model
    source: PhotoSource
    photos: Sequence[ExplainedPhoto]

    def __call__(self, group: Group, seed: int) -> Group:
        """The group with the effect of its place: how many answers change when it is filled with
        what is around it, and how far the answers' probabilities fall, beside those of other
        photos. Where the group is placed, its place is also put into photos that get other
        answers, which decides: what stands beside an object may be filled without a change, where
        the object is enough, and a filled place may change an answer by chance."""
        generator = np.random.default_rng(seed)
        others = np.setdiff1d(np.arange(len(self.photos)), group.members)
        inside = generator.permutation(group.members)[:MOST_PHOTOS]
        outside = generator.permutation(others)[:MOST_PHOTOS]
        hole = self._hole(group)
        changed, drop = self._effect_of_filling(inside, hole)
        _, drop_elsewhere = self._effect_of_filling(outside, hole)
        tested = replace(group, changed=changed, drop=drop, drop_elsewhere=drop_elsewhere)
        gains = self._gains(group, others, hole, generator) if group.is_placed else None
        if gains is None:
            return replace(tested, is_reason=drop - drop_elsewhere >= LEAST_EFFECT)
        gain, gain_elsewhere = gains
        is_reason = gain - gain_elsewhere >= LEAST_EFFECT
        return replace(tested, gain=gain, gain_elsewhere=gain_elsewhere, is_reason=is_reason)

    def _gains(
        self, group: Group, others: Assignment, hole: Tensor, generator: np.random.Generator
    ) -> tuple[float, float] | None:
        """The mean rise of the class's probability in photos that get other answers, when the place
        is taken from photos of the group, and from others of that class (from all others, where
        those are too few); None where all photos get this class."""
        is_same = np.array(
            [self.photos[member].predicted == group.predicted for member in others], bool
        )
        hosts = generator.permutation(others[~is_same])[:MOST_PHOTOS]
        if not len(hosts):
            return None
        donors = others[is_same] if is_same.sum() >= LEAST_PHOTOS else others
        gain, gain_elsewhere = (
            self._gain(group.predicted, hosts, generator.choice(part, len(hosts)), hole)
            for part in (group.members, donors)
        )
        return gain, gain_elsewhere

    def _gain(self, index: int, hosts: Assignment, donors: Assignment, hole: Tensor) -> float:
        """The mean rise of a class's probability in the hosts with the donors' place."""
        before, after = self._probabilities(
            hosts, lambda image: image * (1 - hole) + self._read(donors) * hole
        )
        return float((after[:, index] - before[:, index]).mean())

    def _effect_of_filling(self, members: Assignment, hole: Tensor) -> Effect:
        """What filling the hole (1 1 h w) changes; 0 for no photos."""
        if not len(members):
            return Effect(0.0, 0.0)
        before, after = self._probabilities(
            members, lambda image: fill(image, hole.expand(len(image), -1, -1, -1))
        )
        answers = torch.tensor([self.photos[member].predicted for member in members])[:, None]
        fall = (before.gather(1, answers) - after.gather(1, answers)).mean()
        return Effect(float((after.argmax(1) != answers[:, 0]).float().mean()), float(fall))

    def _probabilities(
        self, members: Assignment, change: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Of the photos as they are, and as they are changed (n classes both)."""
        prepared, image = inference_copy(self.model), self._read(members)
        with Probe(prepared) as probe:
            before, after = (
                self.model.probabilities(probe.scores(prepared.preprocess(part))).cpu()
                for part in (image, change(image))
            )
        return before, after

    def _read(self, members: Assignment) -> Tensor:
        """The photos at the network's size (n c h w)."""
        read = (read_photo(self.source, self.photos[member].entry) for member in members)
        return torch.cat([self.model.fit(photo) for photo in read])

    def _hole(self, group: Group) -> Tensor:
        """The group's place at the network's size (1 1 h w)."""
        size = self.model.size
        heat = torch.from_numpy(group.heat).to(self.model.device, torch.float32)[None, None]
        if not group.is_placed:
            wide = interpolate(heat, size, mode="bilinear")
            return (wide > HALF * wide.max()).float()
        rows, columns = (
            round(GROWTH * side / cells) for side, cells in zip(size, heat.shape[2:], strict=True)
        )
        place = interpolate((heat > 0).float(), size, mode="nearest-exact")
        window = (2 * rows + 1, 2 * columns + 1)
        return max_pool2d(place, window, stride=1, padding=(rows, columns))
