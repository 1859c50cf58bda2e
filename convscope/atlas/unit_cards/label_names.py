"""A unit's name from the photos' labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from convscope.atlas.unit_cards.label_sums import LabelSums

LEAST_SHARE = 0.5
"""Of a unit's strongest photos bear a label that it is called after."""


@dataclass(frozen=True)
class LabelEvidence:
    """The label that a unit answers to most: how sure that is no accident (0 to 1), which share of
    its strongest photos bears the label, and how many photos do at all."""

    label: str
    confidence: float
    share: float
    photos: int

    def called(self, name: str) -> LabelEvidence:
        """The same under another name of the label."""
        return replace(self, label=name)


def label_evidence(
    sums: LabelSums, names: Sequence[str], unit: int, strongest: Sequence[str]
) -> LabelEvidence | None:
    """The label whose photos excite a unit most in proportion to its scatter: the highest t of
    Student's test between the label's photos and all others.

    The confidence is 1 minus the one-sided p times the number of labels (Bonferroni), at least 0.
    The test takes the unit's values as normally distributed with one variance, so that a single
    photo counts for something where it stands out far from all others. `strongest` are the labels
    of the unit's strongest photos, best first; the share is taken over as many as there are photos
    with the label, or over all of them. None without two labels, or for a unit that is constant.
    """
    from scipy import stats

    photos, count = int(sums.count.sum()), sums.count.astype(np.float64)
    occurs = (count > 0) & (count < photos)
    if occurs.sum() < 2 or photos < 3:
        return None
    total, squares = sums.total[:, unit], sums.squares[:, unit]
    inside, outside = count[occurs], photos - count[occurs]
    difference = total[occurs] / inside - (total.sum() - total[occurs]) / outside
    scatter = squares.sum() - total[occurs] ** 2 / inside
    scatter -= (total.sum() - total[occurs]) ** 2 / outside
    variance = np.maximum(scatter, 0) / (photos - 2)
    floor = 1e-12 * max(squares.sum() / photos, 1e-30)
    if squares.sum() / photos - (total.sum() / photos) ** 2 <= floor:
        return None
    t = difference / np.sqrt(np.maximum(variance, floor) * (1 / inside + 1 / outside))
    best = int(t.argmax())
    label = int(np.flatnonzero(occurs)[best])
    p = float(stats.t.sf(t[best], photos - 2)) * int(occurs.sum())
    among = strongest[: int(count[label])]
    share = sum(name == names[label] for name in among) / max(len(among), 1)
    return LabelEvidence(names[label], max(0.0, 1 - p), share, int(count[label]))
