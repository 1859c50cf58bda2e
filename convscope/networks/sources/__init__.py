"""Where networks come from: one source a file, each a function `(name, *, weights, ...) ->
Model`."""

from __future__ import annotations

from convscope.networks.source_registry import registry as registry

register = registry.register
