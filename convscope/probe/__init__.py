"""Look into a network while it runs: capture, stop early, swap an activation and go on, gradients,
backward rules."""

from __future__ import annotations

from convscope.probe.gradient import gradient_of
from convscope.probe.probe import Probe

__all__ = ["Probe", "gradient_of"]
