"""Attribution methods: where in the image, or at which places of a layer, does the score come from?

A method is a function `(probe, image, target, *, parameters) -> Tensor` in a file of its own name.
`image` is the network's input (n c h w), `target` gives one score per image, and the map that comes
back is raw and signed float32, n c h w. Traits:

    space       where the map lives: "layer" (the method then takes `layer`, a name) or "input"
    heatmap     how channels become one map (see `REDUCTIONS`); "sum" by default
    as_is       the method sees the network itself and not a faster copy: it reads modules and
                weights, or it gives a gradient at the image, which jumps where rounding moves a
                unit over the kink of a ReLU
    single_run  the method runs the network once on the image itself, so that the top prediction
                can be read off that run
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from convscope.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

registry = Registry(__name__, "attribution method")
register = registry.register

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda found: found.sum(1),
    "max_abs": lambda found: found.abs().amax(1),
    "mean_abs": lambda found: found.abs().mean(1),
}
"""n c h w -> n h w: "sum" keeps the sign, "max_abs" is Simonyan's for saliency maps."""


def reduce_channels(found: Tensor, how: str) -> Tensor:
    """The heatmap (n h w) of an attribution (n c h w)."""
    return REDUCTIONS[how](found)
