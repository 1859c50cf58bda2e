"""Whether two runs of a network gave the same, up to rounding."""

from __future__ import annotations

from torch import Tensor

TOLERANCE = 1e-4
"""How far two outputs may be apart, relative to the largest value of the first."""


def agree(expected: Tensor | None, output: Tensor | None) -> bool:
    """Whether both are there, of one shape, and within `TOLERANCE` of each other."""
    return (
        expected is not None
        and output is not None
        and expected.shape == output.shape
        and bool((expected - output).abs().max() <= TOLERANCE * expected.abs().max())
    )
