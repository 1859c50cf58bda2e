"""Names of classes that no two classes share."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from convscope.networks.model import Model


def class_name(model: Model, index: int) -> str:
    """The short name of a class, with its index where another class has the same: ImageNet has two
    cranes, "crane (134)" and "crane (517)"."""
    label = model.label(index)
    return f"{label} ({index})" if label in _shared_labels(model.labels or ()) else label


@lru_cache(maxsize=8)
def _shared_labels(labels: tuple[str, ...]) -> frozenset[str]:
    """The short names that several classes have."""
    counts = Counter(text.split(",")[0].strip() for text in labels)
    return frozenset(label for label, count in counts.items() if count > 1)
