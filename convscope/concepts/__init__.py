"""Concept methods: directions in a layer's space of channels that its activations are made of.

A method is a function `(activations, count, *, seed, parameters) -> Factors` in a file of its own
name. `activations` are N x c float32, one row for each place of each photo; the product of the
factors' coefficients (N x k) and directions (k x c), plus their offset, is close to them. A method
with the trait `crops` or `labeled` takes a function that gives those of other photos, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from convscope.core.registry import Registry


@dataclass(frozen=True)
class ConceptTraits:
    """What is known of a concept method: `clips`, that it reads negative activations as zero;
    `crops`, that it also takes the activations of crops, before the count; `labeled`, that it takes
    those of photos of each concept there, which decide how many concepts there are; `overcomplete`,
    that there may be more concepts than channels; and how the importance of its concepts is
    measured."""

    clips: bool = False
    crops: bool = False
    labeled: bool = False
    overcomplete: bool = False
    importance: Literal["sobol", "derivative"] = "sobol"


registry: Registry[ConceptTraits] = Registry(
    __name__,
    "concept method",
    ConceptTraits,
    shared=("concept_set", "concept_test", "crops", "factors", "intervals", "sobol", "stability"),
)
register = registry.register
