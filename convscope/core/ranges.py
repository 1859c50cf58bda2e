"""The ranges an option may have, as annotations: `steps: Steps = 256`.

The upper bounds are where a slip of the finger begins: beyond them the work would take days or more
memory than a workstation has, so it is refused before it starts.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Gt(0), Le(1)]
UnitInterval = Annotated[float, Ge(0), Le(1)]

Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
"""What `torch.Generator.manual_seed` takes without wrapping around."""

Steps = Annotated[int, Ge(1), Le(1_000_000)]
"""Steps of an optimization: at ten steps a second the most is a day."""

Side = Annotated[int, Ge(1), Le(16_384)]
"""The side of an image: at the most, one float32 image is 3 GiB."""

ClassCount = Annotated[int, Ge(1), Le(1_000_000)]
"""Classes of a head: the largest that people train have a tenth of the most."""

ChannelCount = Annotated[int, Ge(1), Le(4_096)]
"""Channels of an image: a hyperspectral one has hundreds."""

Cells = Annotated[int, Ge(1), Le(64)]
"""Cells along the side of an image, for methods that run the network for each of them."""

Runs = Annotated[int, Ge(1), Le(1_000_000)]
"""How often the network runs for one image: samples, masks, points."""

Points = Annotated[int, Ge(1), Le(1_000)]
"""Points of a Gauss-Legendre quadrature: to compute where n of them lie takes n^3 steps."""

Copies = Annotated[int, Ge(1), Le(1_000)]
"""How many pictures of one thing."""

Octaves = Annotated[int, Ge(1), Le(64)]
"""Sizes at which DeepDream works, each larger than the last."""

OctaveScale = Annotated[float, Gt(1), Le(16)]
"""The ratio of two neighboring octaves' sizes."""

Tiles = Annotated[int, Ge(2), Le(16)]
"""Photos along the side of a grid of photos."""

Threads = Annotated[int, Ge(1), Le(1_024)]
"""Threads of one process: torch aborts the process when the system refuses more."""

Shift = Annotated[int, Ge(0), Le(4_096)]
"""Pixels by which an image is moved or padded."""

Sigma = Annotated[float, Ge(0), Le(4_096)]
"""Pixels of a normal curve's standard deviation, for blurring."""

Zoom = Annotated[float, Gt(0), Le(16)]
"""By how much an image is enlarged."""

Percentile = Annotated[float, Gt(0), Le(100)]

Rate = Annotated[float, Gt(0), Le(1e9)]
"""Step size of an optimizer."""
