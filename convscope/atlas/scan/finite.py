"""Activations that are numbers, or one sentence on where they are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.errors import NumericError


def require_finite(values: NDArray[np.float32], layer: str, photos: Sequence[str]) -> None:
    """Check a batch's values (photos first) at a layer; `photos` are the names.

    Raises:
        NumericError: one is NaN or infinite.
    """
    is_finite = np.isfinite(values).reshape(len(values), -1).all(1)
    if not is_finite.all():
        raise NumericError(
            f"The activations of {layer} are NaN or infinite on {photos[int(is_finite.argmin())]}."
        )
