"""A unit's name from masks: Network Dissection (Bau et al., 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.core.progress import advance
from convscope.probe import Probe

TOP_SHARE = 0.005
"""Of all places of a unit's maps, over all photos, count as firing (Bau et al., 2017)."""

LEAST_IOU = 0.04
"""Below it a unit detects nothing (Bau et al., 2017)."""

MASK_SIDE = 112
"""The side at which maps and masks are compared, in pixels, as in the paper."""

RESAMPLES = 200
"""Of the photos with replacement, for the interval and the confidence."""


@dataclass(frozen=True)
class MaskedPhoto:
    """A network input (1 c h w), the mask of its object (h w, 0 or 1), and what that is."""

    image: Tensor
    mask: Tensor
    label: str


@dataclass(frozen=True)
class MaskEvidence:
    """The object that a unit's firing covers best: intersection over union with 95 % bootstrap
    interval, and the share of resamples in which the same object is best and above the threshold
    of 0.04."""

    label: str
    iou: float
    low: float
    high: float
    confidence: float

    def called(self, name: str) -> MaskEvidence:
        """The same under another name of the object."""
        return replace(self, label=name)


@dataclass
class Overlaps:
    """Of one layer and each photo: pixels where a unit fires on the object, and where it fires
    (photos units both); pixels of the object (photos); and what the objects are."""

    inside: NDArray[np.float64]
    firing: NDArray[np.float64]
    object_size: NDArray[np.float64]
    labels: list[str]

    def evidence(self, unit: int, seed: int) -> MaskEvidence | None:
        """What a unit detects, above the threshold or not; None where it never fires on any."""
        names = sorted(set(self.labels))
        onehot = np.array([[label == name for name in names] for label in self.labels], float)
        photos = len(self.labels)
        weights = np.random.default_rng(seed).multinomial(
            photos, np.full(photos, 1 / photos), RESAMPLES
        )
        iou = self._iou(unit, onehot, np.ones((1, photos)))[0]
        best = int(iou.argmax())
        if iou[best] <= 0:
            return None
        resampled = self._iou(unit, onehot, weights.astype(float))
        same = (resampled.argmax(1) == best) & (resampled[:, best] >= LEAST_IOU)
        low, high = np.quantile(resampled[:, best], (0.025, 0.975)).tolist()
        return MaskEvidence(names[best], float(iou[best]), low, high, float(same.mean()))

    def _iou(
        self, unit: int, onehot: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Intersection over union (resamples labels) with the photos weighted."""
        inside = (weights * self.inside[:, unit]) @ onehot
        union = (weights @ self.firing[:, unit])[:, None] + (weights * self.object_size) @ onehot
        union = union - inside
        return np.asarray(np.divide(inside, union, out=np.zeros_like(inside), where=union > 0))


def measure_overlaps(
    probe: Probe, layers: Sequence[str], photos: Callable[[], Iterator[MaskedPhoto]], count: int
) -> dict[str, Overlaps]:
    """Where the units of some layers fire, against the objects' masks; `photos` gives them anew
    each time, at most `count`.

    A unit fires where its map, brought to the mask's size, is at or above the value that half a
    percent of all its places reach, and above its lowest. Layers without places are left out.
    """
    spatial = [name for name in layers if probe.layers[name].spatial]
    if not spatial:
        return {}
    top: dict[str, Tensor] = {}
    lowest: dict[str, Tensor] = {}
    sizes = {name: probe.layers[name].shape for name in spatial}
    kept = {name: _num_firing(count, shape) for name, shape in sizes.items()}
    num_read = 0
    for number, photo in enumerate(photos(), start=1):
        for name, maps in probe.activations(photo.image, spatial).items():
            values = maps[0].float().flatten(1)
            low = values.amin(1)
            lowest[name] = torch.minimum(lowest[name], low) if name in lowest else low
            values = torch.cat([top[name], values], 1) if name in top else values
            top[name] = values.topk(min(kept[name], values.shape[1]), dim=1).values
        advance("atlas: masks", number, 2 * count)
        num_read = number
    threshold = {
        name: values[:, min(_num_firing(num_read, sizes[name]), values.shape[1]) - 1]
        for name, values in top.items()
    }
    rows: dict[str, list[tuple[Tensor, Tensor, float]]] = {name: [] for name in spatial}
    labels = []
    for number, photo in enumerate(photos(), start=1):
        labels.append(photo.label)
        height, width = photo.mask.shape
        size = (min(height, MASK_SIDE), min(width, MASK_SIDE))
        mask = torch.nn.functional.adaptive_avg_pool2d(photo.mask[None, None], size)[0, 0] >= 0.5
        for name, maps in probe.activations(photo.image, spatial).items():
            firing = _firing(maps.float(), size, threshold[name], lowest[name]).cpu()
            inside = (firing & mask).sum((1, 2))
            rows[name].append((inside, firing.sum((1, 2)), float(mask.sum())))
        advance("atlas: masks", count + number, 2 * count)
    return {
        name: Overlaps(
            torch.stack([inside for inside, _, _ in measured]).double().numpy(),
            torch.stack([firing for _, firing, _ in measured]).double().numpy(),
            np.array([area for _, _, area in measured]),
            labels,
        )
        for name, measured in rows.items()
        if measured
    }


def _num_firing(photos: int, shape: tuple[int, int, int]) -> int:
    """How many places of a unit's maps fire, over so many photos."""
    return max(1, round(TOP_SHARE * photos * shape[1] * shape[2]))


def _firing(maps: Tensor, size: tuple[int, int], threshold: Tensor, lowest: Tensor) -> Tensor:
    """Where each unit fires (units h w)."""
    large = torch.nn.functional.interpolate(maps, size, mode="bilinear", align_corners=False)[0]
    return (large >= threshold[:, None, None]) & (large > lowest[:, None, None])
