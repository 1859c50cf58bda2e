"""Attribution methods: where in the image, or at which places of a layer, does the score come from?

A method is a function `(probe, image, target, *, parameters) -> Tensor` in a file of its own name.
`image` is the network's input (n c h w), `target` gives one score per image, and the map that comes
back is raw and signed float32, n c h w. `MethodTraits` are what else is known of a method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from convscope.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Space = Literal["layer", "input", "base"]
Reduction = Literal["sum", "max_abs", "mean_abs", "base"]


@dataclass(frozen=True)
class MethodTraits:
    """What is known of an attribution method before it runs.

    `space` is where the map lives: "layer" (the method then takes `layer`, a name), "input", or
    "base", where the method that it wraps has it. `heatmap` is how channels become one map (see
    `REDUCTIONS`). `needs` is what the network must have, `extra` the optional dependency.

    `single_run`: it runs the network once on the image itself, so that the top prediction can be
    read off that run. `quick`: it costs about one run of the network. `positive`: the map has no
    negative values. `as_is`: it sees the network itself and not a faster copy, because it reads
    modules and weights, or gives a gradient at the image, which jumps where rounding moves a unit
    over the kink of a ReLU.
    """

    space: Space
    heatmap: Reduction = "sum"
    needs: Literal["attention", "detection"] | None = None
    extra: str | None = None
    single_run: bool = False
    quick: bool = False
    positive: bool = False
    as_is: bool = False


registry = Registry(
    __name__,
    "attribution method",
    MethodTraits,
    shared=("baselines", "batches", "default_layers", "maps", "method", "method_options"),
)
register = registry.register

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda maps: maps.sum(1),
    "max_abs": lambda maps: maps.abs().amax(1),
    "mean_abs": lambda maps: maps.abs().mean(1),
}
"""n c h w -> n h w: "sum" keeps the sign, "max_abs" is Simonyan's for saliency maps."""


def reduce_channels(maps: Tensor, how: str) -> Tensor:
    """The heatmap (n h w) of an attribution (n c h w)."""
    return REDUCTIONS[how](maps)
