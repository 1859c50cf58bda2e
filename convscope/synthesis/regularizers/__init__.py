"""Regularizers: what a picture should have little of, one number per image; they read the image,
not the network.

A regularizer is a function `(image, *, parameters) -> Tensor` (n) in a file of its own name;
`image` is n c h w in [0, 1]. Trait `network_units`: it reads the network's input (after
preprocessing) instead; `alpha`: the image must have an opacity. An ascent subtracts it, weighted.
"""

from __future__ import annotations

from convscope.core.registry import Registry

registry = Registry(__name__, "regularizer")
register = registry.register
