"""The registry of the folder `sources`, apart from it: `load_model` reads the registry, and a
source may call `load_model`."""

from __future__ import annotations

from convscope.core.registry import NoTraits, Registry

registry = Registry("convscope.networks.sources", "model source", NoTraits)
