"""Stimuli that are drawn, not photographed: a file for each property that a unit may be tuned to.

A stimulus is a function `(size) -> StimulusKind` in a file of its own name: for a network that sees
images of that height and width, which images to show and how a unit's responses to them become its
tuning curve.
"""

from __future__ import annotations

from convscope.core.registry import NoTraits, Registry

registry = Registry(
    __name__, "stimulus", NoTraits, shared=("canvas", "gratings", "peaks", "stimulus_kind")
)
register = registry.register
