"""TODO"""

from __future__ import annotations

from convscope.registry import Registry

registry = Registry(__name__, "parameterization")
register = registry.register
