"""Look into a network while it runs: capture, stop early, swap an activation and go on, gradients,
backward rules."""

from __future__ import annotations

from convscope.probe.probe import Probe, gradient_of

__all__ = ["Probe", "gradient_of"]
