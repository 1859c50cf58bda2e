"""What a concept method makes of activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CropActivations: TypeAlias = Callable[[float, int], Floats]
"""From the side of a crop, as a share of the network's input, and the fewest crops there must be,
to the pooled activations of all crops of all photos (m c)."""

ReadActivations: TypeAlias = Callable[[str], dict[str, Floats]]
"""From where photos are (a folder, say) to their activations, averaged over places (n c), by label;
"" stands for none."""


@dataclass(frozen=True)
class Factors:
    """Coefficients (N k), directions (k c), and what is added to their product (c); `names` are
    those of the concepts, where they have any (k)."""

    coefficients: Floats
    directions: Floats
    offset: Floats
    names: tuple[str, ...] = ()

    @property
    def reconstruction(self) -> Floats:
        """The activations that the factors stand for (N c)."""
        return np.asarray(self.coefficients @ self.directions + self.offset, np.float32)
