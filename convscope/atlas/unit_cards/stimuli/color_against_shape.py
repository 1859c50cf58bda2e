from __future__ import annotations

import torch
from torch import Tensor

from convscope.atlas.unit_cards.stimuli import register
from convscope.atlas.unit_cards.stimuli.canvas import coordinates, disk, paint, plain
from convscope.atlas.unit_cards.stimuli.stimulus_kind import (
    Floats,
    Stimuli,
    StimulusKind,
    Tuning,
)

COLORS = {
    "red": (1.0, 0.0, 0.0),
    "yellow": (1.0, 1.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "blue": (0.0, 0.0, 1.0),
    "magenta": (1.0, 0.0, 1.0),
    "white": (1.0, 1.0, 1.0),
    "black": (0.0, 0.0, 0.0),
}
"""The corners of the RGB cube, shown on its middle."""

SHAPES = ("disk", "ring", "square", "triangle", "star", "cross", "stripes", "checkerboard")


@register(needs_color=True)
def color_against_shape(size: tuple[int, int]) -> StimulusKind:
    """Whether a unit minds the color or the shape: eight colors times eight shapes. The preferred
    value is color's share of what color and shape explain of the responses' variance (the main
    effects of a two-way analysis of variance; Fisher, 1925): 1 where only the color counts, 0
    where only the shape does."""
    background = plain(size)
    masks = [shape_mask(size, name) for name in SHAPES]

    def draw(condition: int) -> Tensor:
        color, shape = divmod(condition, len(SHAPES))
        return paint(background, masks[shape], list(COLORS.values())[color])[None]

    points = tuple(f"{color} {shape}" for color in COLORS for shape in SHAPES)

    def tune(responses: Floats) -> Tuning:
        table = responses.reshape(len(COLORS), len(SHAPES))
        color = float(((table.mean(1) - table.mean()) ** 2).mean())
        shape = float(((table.mean(0) - table.mean()) ** 2).mean())
        if responses.max() <= 0 or color + shape <= 0:
            return Tuning(responses, (), "none")
        share = color / (color + shape)
        text = f"{share:.0%} color; most: {points[int(responses.argmax())]}"
        return Tuning(responses, (share,), text)

    stimuli = Stimuli("colored shapes", len(points), draw, background)
    return StimulusKind(stimuli, points, "colors times shapes", tune)


def shape_mask(size: tuple[int, int], name: str) -> Tensor:
    """A shape in the middle, half as wide as the image (h w, 0 or 1)."""
    radius = min(size) / 4
    down, across = coordinates(size)
    distance = torch.hypot(down, across)
    box = torch.maximum(down.abs(), across.abs())
    if name == "disk":
        return disk(size, 2 * radius)
    if name == "ring":
        return disk(size, 2 * radius) - disk(size, 1.2 * radius)
    if name == "triangle":
        slanted = across.abs() * 0.866 - down * 0.5
        return (torch.maximum(slanted, down) < radius / 2).float()
    if name == "star":
        angle = torch.atan2(across, -down)
        return (distance < radius * (0.65 + 0.35 * torch.cos(5 * angle))).float()
    if name == "cross":
        thin = torch.minimum(down.abs(), across.abs()) < radius / 3
        return (thin & (box < radius)).float()
    inside = box < radius
    rows = (down / radius * 2).floor() % 2 == 0
    if name == "stripes":
        return (inside & rows).float()
    if name == "checkerboard":
        columns = (across / radius * 2).floor() % 2 == 0
        return (inside & (rows ^ columns)).float()
    return (box < 0.85 * radius).float()
