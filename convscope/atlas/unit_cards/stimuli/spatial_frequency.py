from __future__ import annotations

import numpy as np

from convscope.atlas.unit_cards.stimuli import register
from convscope.atlas.unit_cards.stimuli.gratings import (
    best_condition,
    frequencies,
    gratings,
    grid,
)
from convscope.atlas.unit_cards.stimuli.peaks import peak
from convscope.atlas.unit_cards.stimuli.stimulus_kind import Floats, StimulusKind, Tuning


@register()
def spatial_frequency(size: tuple[int, int]) -> StimulusKind:
    """How fine a grating must be (Campbell and Robson, 1968), in the orientation that suits the
    unit best; cycles per pixel of the network's input."""
    speeds = frequencies(size)

    def tune(responses: Floats) -> Tuning:
        curve = grid(responses)[best_condition(responses)[0]]
        if curve.max() <= 0:
            return Tuning(curve, (), "none")
        frequency = peak(np.array(speeds), curve)
        return Tuning(curve, (frequency,), f"a period of {1 / frequency:.3g} px")

    points = tuple(f"{1 / speed:.3g} px" for speed in speeds)
    return StimulusKind(gratings(size), points, "period of the grating", tune)
