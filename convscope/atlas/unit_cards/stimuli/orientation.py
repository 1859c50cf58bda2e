from __future__ import annotations

import numpy as np

from convscope.atlas.unit_cards.stimuli import register
from convscope.atlas.unit_cards.stimuli.gratings import (
    ORIENTATIONS,
    best_condition,
    gratings,
    grid,
)
from convscope.atlas.unit_cards.stimuli.peaks import peak
from convscope.atlas.unit_cards.stimuli.stimulus_kind import Floats, StimulusKind, Tuning


@register()
def orientation(size: tuple[int, int]) -> StimulusKind:
    """How the bars of a grating must lie (Hubel and Wiesel, 1962), at the frequency that suits the
    unit best; degrees counterclockwise from horizontal, 0 to 180."""

    def tune(responses: Floats) -> Tuning:
        curve = grid(responses)[:, best_condition(responses)[1]]
        if curve.max() <= 0:
            return Tuning(curve, (), "none")
        angle = peak(np.array(ORIENTATIONS), curve, period=180.0)
        return Tuning(curve, (angle,), f"{angle:.0f}°")

    points = tuple(f"{angle:g}°" for angle in ORIENTATIONS)
    return StimulusKind(gratings(size), points, "bars, degrees from horizontal", tune)
