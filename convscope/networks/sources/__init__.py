"""Where networks come from: one source a file, each a function `(name, *, weights, ...) ->
Model`."""

from __future__ import annotations

from convscope.core.registry import Registry

registry = Registry(__name__, "model source")
register = registry.register
