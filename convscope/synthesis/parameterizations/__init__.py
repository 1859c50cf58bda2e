"""Parameterizations: what an image is made of while it is optimized. The choice changes the path,
not the minimum.

A parameterization is a function `(shape, streams, *, parameters) -> nn.Module` in a file of its own
name; `shape` is n c h w, and the module's `forward()` gives the images, n c h w in [0, 1]. A module
may have `project()`, called after each step. Start from a photo: `start` (n c h w in [0, 1]).
"""

from __future__ import annotations

from dataclasses import dataclass

from convscope.core.registry import Registry


@dataclass(frozen=True)
class ParameterizationTraits:
    """What is known of a parameterization before it runs.

    `rate` is a good step of Adam, where that of other parameterizations is not. `together`: images
    of a batch share something. `alpha`: it gives one channel more, the opacity. `network_units`:
    its values are network inputs, and it takes the network as `model`. `noise` is the parameter
    that says how strong the noise is that it starts from. `pixels`: its weights are pixels, which
    can be blurred.
    """

    rate: float | None = None
    together: bool = False
    alpha: bool = False
    network_units: bool = False
    noise: str | None = None
    pixels: bool = False


registry = Registry(__name__, "parameterization", ParameterizationTraits)
register = registry.register
