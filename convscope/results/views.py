"""The registry of the folder `pictures`: a result names its view, and the view draws the result."""

from __future__ import annotations

from convscope.core.registry import NoTraits, Registry

registry = Registry("convscope.results.pictures", "picture", NoTraits, shared=("colors",))
