"""Engines: where an atlas's jobs run. File stem = name.

An engine is a function `(work, items, *, address, threads, data)` that yields `(item, bytes)` as
they are finished, in any order. `work` is a callable that can be sent to another process, `items`
is consumed as it goes, and `data` says that the items are long streams of photos. Closing the
iterator stops after what is running.
"""

from __future__ import annotations

from convscope.core.registry import NoTraits, Registry

registry = Registry(__name__, "engine", NoTraits)
register = registry.register
