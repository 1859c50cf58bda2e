"""What a caller may change in a preset, by name: the options that the verbs of synthesis share.

Each is None where the preset's own value holds. The text below an option is its help in every verb
that takes it.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from convscope.core.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Rate,
    Shift,
    Sigma,
    Steps,
)


class Overrides(TypedDict, total=False):
    """What may be changed wherever a photo or noise is optimized."""

    steps: Steps | None
    """how many steps; the preset's number by default."""
    optimizer: Literal["ascent", "adam", "nadam", "padam"] | None
    """ascent, adam, nadam or padam (Adam that evens out the entries only in part)."""
    rate: Rate | None
    """step size; by default the preset's, scaled to the range of the network's input."""
    normalize: Literal["none", "rms", "l2", "mean_abs"] | None
    """what each image's gradient is divided by: none, rms, l2 or mean_abs."""
    jitter: Shift | None
    """pixels by which the image is moved at random at each step; 0 for none."""
    regularizers: str | None
    """instead of the preset's, such as "total_variation 0.5*l1"."""
    l2: NonNegativeFloat | None
    """weight of the sum of squares of the network's input (Simonyan et al., 2013)."""
    blur: Sigma | None
    """sigma in pixels by which an image made of pixels is blurred between steps; 0 for none."""
    blur_every: PositiveInt | None
    """blur at every so many steps."""
    snapshots: list[PositiveInt] | None
    """steps at which the pictures are kept too, in `result["snapshot"]` (k n 3 h w)."""
    show_every: PositiveInt | None
    """keep and show the pictures at every so many steps."""


class TransformOverrides(Overrides, total=False):
    """Also what the image goes through before the network sees it."""

    transforms: str | None
    """instead of the preset's, such as "pad(16) jitter(8) rotate(5)"; "none" for none."""
    redirect: NonNegativeInt | None
    """for how many steps closed ReLUs let the gradient through to an image that none reaches."""


class ImageOverrides(TransformOverrides, total=False):
    """Also what the image is made of, for images that start from noise."""

    parameterization: str | None
    """what the image is made of, instead of the preset's."""
    noise: NonNegativeFloat | None
    """strength of the noise that it starts from."""
    patience: PositiveInt | None
    """stop when no score has risen for so many steps."""
