from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from convscope.atlas.unit_cards.stimuli import register
from convscope.atlas.unit_cards.stimuli.canvas import coordinates, paint, plain
from convscope.atlas.unit_cards.stimuli.stimulus_kind import (
    Floats,
    Stimuli,
    StimulusKind,
    Tuning,
)

SIDE = 5
"""Positions a side."""

ANYWHERE = 0.6
"""The share of positions with at least half of the highest response, from which on a unit is said
to respond anywhere."""

ROWS, COLUMNS = (
    ("top", "upper", "middle", "lower", "bottom"),
    ("far left", "left", "center", "right", "far right"),
)


@register()
def position(size: tuple[int, int]) -> StimulusKind:
    """Where in the image a small patch must lie: plain white, plain black, stripes or a
    checkerboard, whichever excites the unit most there. The preferred position is the middle of
    the positions with at least half of the highest response, row and column in shares of height
    and width."""
    background = plain(size)
    places = [(place + 0.5) / SIDE for place in range(SIDE)]

    def draw(condition: int) -> Tensor:
        center = (places[condition // SIDE], places[condition % SIDE])
        return torch.stack([_patch(background, size, center, kind) for kind in range(4)])

    def tune(responses: Floats) -> Tuning:
        if responses.max() <= 0:
            return Tuning(responses, (), "none")
        strong = np.where(responses >= responses.max() / 2, responses, 0).reshape(SIDE, SIDE)
        row = float(strong.sum(1) @ places / strong.sum())
        column = float(strong.sum(0) @ places / strong.sum())
        words = f"{ROWS[int(row * SIDE)]}, {COLUMNS[int(column * SIDE)]}"
        text = "anywhere" if (strong > 0).mean() >= ANYWHERE else words
        return Tuning(responses, (row, column), text)

    points = tuple(f"{row}, {column}" for row in ROWS for column in COLUMNS)
    stimuli = Stimuli("positions", SIDE * SIDE, draw, background)
    return StimulusKind(stimuli, points, "position of a patch", tune)


def _patch(
    background: Tensor, size: tuple[int, int], center: tuple[float, float], kind: int
) -> Tensor:
    """A patch of a fifth of each side: black, white, stripes or a checkerboard."""
    down, across = coordinates(size, center)
    half_height, half_width = size[0] / SIDE / 2, size[1] / SIDE / 2
    inside = ((down.abs() < half_height) & (across.abs() < half_width)).float()
    rows = (down / half_height * 2).floor() % 2
    columns = (across / half_width * 2).floor() % 2
    shades = (torch.zeros(size), torch.ones(size), rows, (rows + columns) % 2)
    light = paint(background, inside * shades[kind], (1.0, 1.0, 1.0))
    return paint(light, inside * (1 - shades[kind]), (0.0, 0.0, 0.0))
