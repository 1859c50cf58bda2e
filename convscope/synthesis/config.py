"""How an optimization goes: typed data that every part of it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Optimizer = Literal["ascent", "adam", "nadam", "padam"]
Normalization = Literal["none", "rms", "l2", "mean_abs"]

OptionValue: TypeAlias = str | int | float | bool | tuple[float, ...] | list[float] | None
"""What an option of a transform, regularizer or parameterization may be."""

Options: TypeAlias = Mapping[str, OptionValue]


class PartSpec(NamedTuple):
    """A transform or parameterization by name, with its options."""

    name: str
    options: Options


class PenaltySpec(NamedTuple):
    """A regularizer by name, its weight, and its options."""

    name: str
    weight: float
    options: Options


@dataclass(frozen=True)
class OptimizationConfig:
    """Everything an optimization is told beside what it optimizes.

    `rate` is Adam's, or the step of plain ascent, and goes down to 0 over the last `rate_decay`
    share of the steps. `beta1` and `beta2` are Adam's decays: a smaller first one follows the
    transforms' surprises faster, a smaller second one suits a start with large gradients, which
    else slow all later steps.

    `redirect` is for how many steps closed ReLUs let the gradient through. `blur` is the sigma by
    which the pixels are blurred every `blur_every` steps, growing by `blur_growth` each time.
    `patience` stops when no score has risen for so many steps. `tile` is the largest side that the
    network sees at once, so that memory does not grow with the image.
    """

    steps: int
    optimizer: Optimizer = "adam"
    rate: float = 0.05
    normalize: Normalization = "none"
    transforms: tuple[PartSpec, ...] = ()
    regularizers: tuple[PenaltySpec, ...] = ()
    redirect: int = 0
    rate_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    blur: float = 0.0
    blur_every: int = 1
    blur_growth: float = 0.0
    patience: int | None = None
    snapshots: tuple[int, ...] = ()
    tile: int | None = None
