"""Concept methods: directions in a layer's space of channels that its activations are made of.

A method is a function `(activations, count, *, seed, parameters) -> Factors` in a file of its own
name. `activations` are N x c float32, one row for each place of each photo; the product of the
factors' coefficients (N x k) and directions (k x c), plus their offset, is close to them. A method
with the trait `crops` takes a function that gives those of crops, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convscope.core.registry import Registry

Floats = NDArray[np.float32]

CropActivations: TypeAlias = Callable[[float, int], Floats]
"""From the side of a crop, as a share of the network's input, and the fewest crops there must be,
to the pooled activations of all crops of all photos (m c)."""


@dataclass(frozen=True)
class ConceptTraits:
    """What is known of a concept method: `clips`, that it reads negative activations as zero;
    `crops`, that it also takes the activations of crops, before the count; `overcomplete`, that
    there may be more concepts than channels; and how the importance of its concepts is measured."""

    clips: bool = False
    crops: bool = False
    overcomplete: bool = False
    importance: Literal["sobol", "derivative"] = "sobol"


@dataclass(frozen=True)
class Factors:
    """Coefficients (N k), directions (k c), and what is added to their product (c)."""

    coefficients: Floats
    directions: Floats
    offset: Floats

    @property
    def reconstruction(self) -> Floats:
        """The activations that the factors stand for (N c)."""
        return np.asarray(self.coefficients @ self.directions + self.offset, np.float32)


registry: Registry[ConceptTraits] = Registry(
    __name__,
    "concept method",
    ConceptTraits,
    shared=("concept_set", "crops", "intervals", "sobol", "stability", "tcav"),
)
register = registry.register
