"""Metrics: how good is a heatmap, by what the network does or by what is known about the photo?

A metric is a function `(case, *, parameters) -> Tensor` in a file of its own name: one number per
image. `MetricTraits` are what else is known of a metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convscope.core.registry import Registry


@dataclass(frozen=True)
class MetricTraits:
    """What is known of a metric before it runs: whether higher or lower numbers are better, and
    what it needs beside the heatmap, "mask" (where the object is) or "method" (to run it again)."""

    better: Literal["higher", "lower"]
    needs: Literal["mask", "method"] | None = None


registry = Registry(__name__, "metric", MetricTraits, shared=("measure", "metric_input"))
register = registry.register
