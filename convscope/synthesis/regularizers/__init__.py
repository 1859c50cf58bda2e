"""Regularizers: what a picture should have little of, one number per image; they read the image,
not the network.

A regularizer is a function `(image, *, parameters) -> Tensor` (n) in a file of its own name;
`image` is n c h w in [0, 1]. The optimization subtracts it, weighted.
"""

from __future__ import annotations

from dataclasses import dataclass

from convscope.core.registry import Registry


@dataclass(frozen=True)
class RegularizerTraits:
    """What is known of a regularizer before it runs. `network_units`: it reads the network's input
    (after preprocessing) rather than the image. `alpha`: the image must have an opacity. `scale` is
    what its weight is multiplied by: such that on units of the embedded network 1 leaves about half
    of what is penalized, 0.1 hardly shows, and 10 wins over the unit (`benchmarks/regularizers.py`
    measures it); 1 where the weight is a published formula's own."""

    scale: float = 1.0
    network_units: bool = False
    alpha: bool = False


registry = Registry(__name__, "regularizer", RegularizerTraits)
register = registry.register
