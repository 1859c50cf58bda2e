"""Groups of photos that get one class for one reason, and which of these reasons are odd.

Heatmaps of one predicted class are clustered. A reason is odd where it is tied to a place that
other photos do not look at: a tag, a logo, a border. That is measured by cosines: of a group's
heatmaps with their mean (same place), minus those of all other photos with it (elsewhere). How
large the difference is by chance is read from the same heatmaps shifted at random, which ties them
to no place. Photos with heat at a place of their own, beside what they show, are a group before
(see `place_groups`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convscope.audit.clustering import MOST_PHOTOS, Assignment, Matrix, partitions, unit_rows
from convscope.audit.place_groups import PlacedPhotos, placed_photos
from convscope.audit.predictions import Flags

LEAST_PHOTOS = 5
"""Photos that make a group."""

LEAST_ODDNESS = 0.45
"""Below this difference of cosines a place is not said to be a reason."""

LEAST_SAME_PLACE = 0.8
"""Photos whose heatmaps have less in common than this do not look at one place."""

SMALLER = 2
"""Groups by chance count where they have at least one photo for every so many of the group."""

CHANCE_MARGIN = 0.05
"""How far above the largest difference by chance an odd group is."""

SHIFTS = 4
"""Random shifts of all heatmaps, from which chance is measured."""

SAME_REASON = 0.95
"""Clusters of one class whose mean heatmaps have this cosine are one group."""


@dataclass(frozen=True)
class Group:
    """Photos (`members`, by their indices among the explained) that get one class with heat at one
    place.

    `heat` is the mean of their heatmaps, each of length 1 (h w). `changed` is the share of answers
    that change when that place is taken away, `drop` by how much the answer's probability falls
    then, and `drop_elsewhere` by how much that of other photos falls without the same place; `gain`
    is by how much the class's probability rises in photos that get other answers when the place is
    put into them, and `gain_elsewhere` with the same place of photos that are not of the group;
    None where that was not measured. The place `is_reason` where that is enough. Of a group that
    `is_placed`, `heat` is that at its place alone.
    """

    predicted: int
    members: Assignment
    same_place: float
    elsewhere: float
    heat: Matrix
    threshold: float = LEAST_ODDNESS
    changed: float | None = None
    drop: float | None = None
    drop_elsewhere: float | None = None
    gain: float | None = None
    gain_elsewhere: float | None = None
    is_reason: bool = False
    is_placed: bool = False

    @property
    def oddness(self) -> float:
        """How much more this place is looked at here than elsewhere."""
        return self.same_place - self.elsewhere

    @property
    def is_candidate(self) -> bool:
        """Whether the place is a reason of this group alone, by the heatmaps."""
        return self.is_placed or (
            self.same_place >= LEAST_SAME_PLACE and self.oddness >= self.threshold
        )


def find_groups(
    heat: Matrix,
    predicted: Sequence[int],
    seed: int,
    objects: Matrix | None = None,
    fine: Matrix | None = None,
) -> list[Group]:
    """The groups in heatmaps (n h w) of photos with these predictions, the oddest first.

    `fine` are heatmaps with more places (n H W), on which photos with heat at a place of their own
    are told; by default `heat`. `objects` is the share of each of their cells that the photo's
    object takes (n H W), where that is known.
    """
    classes = np.asarray(predicted)
    placed = _placed_groups(heat if fine is None else fine, objects, classes)
    size, rows = heat.shape[1:], _positive_rows(heat)
    everywhere = np.ones(len(rows), bool)
    is_left = everywhere.copy()
    for group in placed:
        is_left[group.members] = False
    groups = placed + _clusters(rows, classes, size, seed, is_left)
    generator = np.random.default_rng(seed)
    by_chance = [
        group
        for _ in range(SHIFTS)
        for group in _clusters(
            _shifted(rows.reshape(-1, *size), generator), classes, size, seed, everywhere
        )
    ]
    return sorted(
        (replace(group, threshold=_threshold(group, by_chance)) for group in groups),
        key=lambda group: (
            not group.is_placed,
            group.threshold - group.oddness,
            group.predicted,
        ),
    )


def _threshold(group: Group, by_chance: Sequence[Group]) -> float:
    """How odd a group of that many photos must be: more than any of about that size by chance."""
    least = len(group.members) / SMALLER
    chance = max((other.oddness for other in by_chance if len(other.members) >= least), default=0.0)
    return max(LEAST_ODDNESS, chance + CHANCE_MARGIN)


def _positive_rows(heat: Matrix) -> Matrix:
    """Positive heat as rows of length 1 (n h*w)."""
    return unit_rows(np.maximum(heat, 0).reshape(len(heat), -1))


def _placed_groups(heat: Matrix, objects: Matrix | None, classes: Assignment) -> list[Group]:
    """For each class the photos with heat at a place of their own, if there are any."""
    size, rows = heat.shape[1:], _positive_rows(heat)
    beside = rows if objects is None else rows * (1 - objects.reshape(rows.shape))
    candidates = [
        (index, placed_photos(rows, beside, classes, index, size, LEAST_PHOTOS))
        for index in np.unique(classes).tolist()
    ]
    return [
        _placed_group(rows, index, photos, size)
        for index, photos in candidates
        if photos is not None
    ]


def _placed_group(rows: Matrix, index: int, placed: PlacedPhotos, size: tuple[int, ...]) -> Group:
    mean = np.zeros(rows.shape[1])
    mean[placed.cells] = rows[placed.members][:, placed.cells].mean(0)
    return _group(rows, placed.members, index, mean, size, is_placed=True)


def _clusters(
    rows: Matrix, classes: Assignment, size: tuple[int, ...], seed: int, is_left: Flags
) -> list[Group]:
    """The clusters of each class's photos, as far as these are left; all photos count as others."""
    groups: list[Group] = []
    for index in np.unique(classes).tolist():
        members = np.flatnonzero((classes == index) & is_left & rows.any(1))[:MOST_PHOTOS]
        if len(members) < LEAST_PHOTOS:
            continue
        candidates = [
            _as_groups(rows, members, assignment, index, size)
            for assignment in partitions(rows[members], seed)
        ]
        # The eigengap decides, unless another number of clusters shows a place of its own.
        best = max(candidates[1:], key=_oddest, default=candidates[0])
        is_odder = _oddest(best) >= max(LEAST_ODDNESS, _oddest(candidates[0]) + CHANCE_MARGIN)
        groups += best if is_odder else candidates[0]
    return groups


def _oddest(groups: Sequence[Group]) -> float:
    return max((group.oddness for group in groups), default=0.0)


def _as_groups(
    rows: Matrix, members: Assignment, assignment: Assignment, predicted: int, size: tuple[int, ...]
) -> list[Group]:
    """The clusters of a class; those with the same mean heatmap are one."""
    clusters = [members[assignment == number] for number in np.unique(assignment)]
    merged: list[Assignment] = []
    for cluster in sorted(clusters, key=len, reverse=True):
        mean = unit_rows(rows[cluster].mean(0, keepdims=True))
        for number, other in enumerate(merged):
            cosine = float((mean @ unit_rows(rows[other].mean(0, keepdims=True)).T).item())
            if cosine >= SAME_REASON:
                merged[number] = np.concatenate([other, cluster])
                break
        else:
            merged.append(cluster)
    groups = []
    for cluster in merged:
        if len(cluster) < LEAST_PHOTOS:
            continue
        groups.append(_group(rows, cluster, predicted, rows[cluster].mean(0), size))
    return groups


def _group(
    rows: Matrix,
    members: Assignment,
    predicted: int,
    heat: Matrix,
    size: tuple[int, ...],
    *,
    is_placed: bool = False,
) -> Group:
    """The photos `members`, with the cosines of their heatmaps, and of all others, with `heat`
    (h*w)."""
    mean = unit_rows(heat[None])[0]
    others = np.ones(len(rows), bool)
    others[members] = False
    elsewhere = float((rows[others] @ mean).mean()) if others.any() else 1.0
    same_place = float((rows[members] @ mean).mean())
    heat = mean.reshape(size)
    return Group(predicted, np.sort(members), same_place, elsewhere, heat, is_placed=is_placed)


def _shifted(heat: Matrix, generator: np.random.Generator) -> Matrix:
    """Heatmaps rolled by random steps, and flat (n h*w)."""
    return np.stack(
        [
            np.roll(
                single, [int(generator.integers(side)) for side in single.shape], (0, 1)
            ).ravel()
            for single in heat
        ]
    )
