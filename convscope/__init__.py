"""Convscope shows what a convolutional network sees.

    import convscope
    model = convscope.load_model()
    convscope.explain(model, "cat.jpg", target="Egyptian cat").save("cat.png")

Importing this package loads no torch: a name is fetched from its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "ConvscopeError": "convscope.errors",
    "Model": "convscope.model",
    "Probe": "convscope.probe",
    "Result": "convscope.result",
    "activations": "convscope.api",
    "caricature": "convscope.techniques.caricature",
    "class_image": "convscope.techniques.class_image",
    "dream": "convscope.techniques.dream",
    "evaluate": "convscope.api",
    "explain": "convscope.api",
    "fool": "convscope.techniques.fool",
    "invert": "convscope.techniques.invert",
    "layers": "convscope.api",
    "load_image": "convscope.image",
    "load_model": "convscope.models",
    "predict": "convscope.api",
    "report": "convscope.html_report",
    "rerun": "convscope.again",
    "visualize": "convscope.techniques.visualize",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    found = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if TYPE_CHECKING:
    from convscope.api import activations, explain, layers, predict
    from convscope.errors import ConvscopeError
    from convscope.image import load_image
    from convscope.model import Model
    from convscope.models import load_model
    from convscope.probe import Probe
    from convscope.result import Result
