"""Where networks come from: one source a file, each a function `(name, *, weights, ...) ->
Model`."""

from __future__ import annotations

from convscope.core.registry import NoTraits, Registry

registry = Registry(__name__, "model source", NoTraits)
register = registry.register
