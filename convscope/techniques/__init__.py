"""Techniques: the public verbs that make pictures by composing the one ascent. File stem = verb."""

from __future__ import annotations

from convscope.core.registry import Registry

registry = Registry(__name__, "technique")
register = registry.register
