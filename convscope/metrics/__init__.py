"""Metrics: how good is a heatmap, by what the network does or by what is known about the photo?

A metric is a function `(case, *, parameters) -> Tensor` in a file of its own name: one number per
image. Traits:

    better   "higher" or "lower"
    needs    what the case must hold beside the heatmap: "mask" (where the object is) or
             "method" (to run it again)
"""

from __future__ import annotations

from convscope.core.registry import Registry

registry = Registry(__name__, "metric")
register = registry.register
