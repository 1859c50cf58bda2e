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
    "activations": "convscope.verbs.activations",
    "benchmark_attribution": "convscope.verbs.benchmark_attribution",
    "caricature": "convscope.verbs.caricature",
    "class_image": "convscope.verbs.class_image",
    "dream": "convscope.verbs.dream",
    "evaluate": "convscope.verbs.evaluate",
    "explain": "convscope.verbs.explain",
    "fool": "convscope.verbs.fool",
    "invert": "convscope.verbs.invert",
    "layers": "convscope.verbs.layers",
    "list_models": "convscope.networks.catalog",
    "load_image": "convscope.photos.image",
    "load_model": "convscope.networks.load",
    "predict": "convscope.verbs.predict",
    "report": "convscope.verbs.report",
    "rerun": "convscope.verbs.rerun",
    "visualize": "convscope.verbs.visualize",
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
    from convscope.errors import ConvscopeError as ConvscopeError
    from convscope.networks.catalog import list_models as list_models
    from convscope.networks.load import load_model as load_model
    from convscope.networks.model import Model as Model
    from convscope.photos.image import load_image as load_image
    from convscope.probe import Probe as Probe
    from convscope.results.result import Result as Result
    from convscope.verbs.activations import activations as activations
    from convscope.verbs.caricature import caricature as caricature
    from convscope.verbs.class_image import class_image as class_image
    from convscope.verbs.dream import dream as dream
    from convscope.verbs.evaluate import evaluate as evaluate
    from convscope.verbs.explain import explain as explain
    from convscope.verbs.fool import fool as fool
    from convscope.verbs.invert import invert as invert
    from convscope.verbs.layers import layers as layers
    from convscope.verbs.predict import predict as predict
    from convscope.verbs.report import report as report
    from convscope.verbs.rerun import rerun as rerun
    from convscope.verbs.visualize import visualize as visualize
