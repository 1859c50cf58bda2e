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
    "Model": "convscope.networks.model",
    "Probe": "convscope.probe",
    "Result": "convscope.results.result",
    "activations": "convscope.api",
    "benchmark_attribution": "convscope.benchmark",
    "caricature": "convscope.techniques.caricature",
    "class_image": "convscope.techniques.class_image",
    "dream": "convscope.techniques.dream",
    "evaluate": "convscope.api",
    "explain": "convscope.api",
    "fool": "convscope.techniques.fool",
    "invert": "convscope.techniques.invert",
    "layers": "convscope.api",
    "list_models": "convscope.networks.catalog",
    "load_image": "convscope.photos.image",
    "load_model": "convscope.networks.load",
    "predict": "convscope.api",
    "report": "convscope.html_report",
    "rerun": "convscope.again",
    "visualize": "convscope.techniques.visualize",
}
"""Public name -> the module that defines it."""

__all__ = sorted(_WHERE)


_PACKAGES = ("atlas",)
"""Packages that are public as they are."""


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"convscope.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    found = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})


if TYPE_CHECKING:
    from convscope import atlas as atlas
    from convscope.again import rerun as rerun
    from convscope.api import activations as activations
    from convscope.api import evaluate as evaluate
    from convscope.api import explain as explain
    from convscope.api import layers as layers
    from convscope.api import predict as predict
    from convscope.errors import ConvscopeError as ConvscopeError
    from convscope.html_report import report as report
    from convscope.networks.catalog import list_models as list_models
    from convscope.networks.load import load_model as load_model
    from convscope.networks.model import Model as Model
    from convscope.photos.image import load_image as load_image
    from convscope.probe.probe import Probe as Probe
    from convscope.results.result import Result as Result
    from convscope.techniques.caricature import caricature as caricature
    from convscope.techniques.class_image import class_image as class_image
    from convscope.techniques.dream import dream as dream
    from convscope.techniques.fool import fool as fool
    from convscope.techniques.invert import invert as invert
    from convscope.techniques.visualize import visualize as visualize
