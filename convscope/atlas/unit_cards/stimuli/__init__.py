"""Stimuli that are drawn, not photographed: a file for each property that a unit may be tuned to.

A stimulus is a function `(size) -> StimulusKind` in a file of its own name: for a network that sees
images of that height and width, which images to show and how a unit's responses to them become its
tuning curve.
"""

from __future__ import annotations

from dataclasses import dataclass

from convscope.core.registry import Registry


@dataclass(frozen=True)
class StimulusTraits:
    """`needs_color`: it says nothing of a network that sees gray."""

    needs_color: bool = False


registry = Registry(
    __name__, "stimulus", StimulusTraits, shared=("canvas", "gratings", "peaks", "stimulus_kind")
)
register = registry.register
