"""Total Sobol indices: how much of a function's variance each input has a part in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc


def total_sobol_indices(
    function: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    inputs: int,
    *,
    designs: int = 32,
    seed: int = 0,
) -> NDArray[np.float32]:
    """The total index of each input of a function on the unit cube, by Jansen's estimator (Jansen,
    1999), as CRAFT measures the importance of concepts (Fel et al., 2023).

    `function` takes m x inputs in [0, 1] and gives m numbers. It is called once, on designs x
    (inputs + 1) rows from a scrambled Sobol sequence. A function that does not vary has indices of
    zero. `designs` is best a power of two.
    """
    points = qmc.Sobol(2 * inputs, rng=seed).random(designs).astype(np.float32)
    first, second = points[:, :inputs], points[:, inputs:]
    mixed = np.repeat(first[None], inputs, 0)
    for index in range(inputs):
        mixed[index, :, index] = second[:, index]
    values = function(np.concatenate([first, mixed.reshape(-1, inputs)]))
    base, changed = values[:designs], values[designs:].reshape(inputs, designs)
    variance = float(values.var())
    if variance <= 0:
        return np.zeros(inputs, np.float32)
    return np.asarray(((base - changed) ** 2).mean(1) / (2 * variance), np.float32)
