# The one list of public names; `convscope/__init__.py` fetches them from here when first used.

from . import atlas
from .audit.audit import audit
from .errors import ConvscopeError
from .networks.catalog import list_models
from .networks.load import load_model
from .networks.model import Model
from .photos.load_image import load_image
from .probe import Probe
from .results.result import Result
from .synthesis.objective import interpolate
from .verbs.activation_grid import activation_grid
from .verbs.activations import activations
from .verbs.attention import attention
from .verbs.benchmark_attribution import benchmark_attribution
from .verbs.caricature import caricature
from .verbs.class_image import class_image
from .verbs.concepts import concepts
from .verbs.dream import dream
from .verbs.evaluate import evaluate
from .verbs.explain import explain
from .verbs.features import features
from .verbs.fool import fool
from .verbs.intervene import intervene
from .verbs.invert import invert
from .verbs.layers import layers
from .verbs.overview import overview
from .verbs.place import place
from .verbs.predict import predict
from .verbs.report import report
from .verbs.rerun import rerun
from .verbs.semantic_dictionary import semantic_dictionary
from .verbs.visualize import visualize
from .web.live import live

__version__: str

__all__ = [
    "ConvscopeError",
    "Model",
    "Probe",
    "Result",
    "activation_grid",
    "activations",
    "atlas",
    "attention",
    "audit",
    "benchmark_attribution",
    "caricature",
    "class_image",
    "concepts",
    "dream",
    "evaluate",
    "explain",
    "features",
    "fool",
    "interpolate",
    "intervene",
    "invert",
    "layers",
    "list_models",
    "live",
    "load_image",
    "load_model",
    "overview",
    "place",
    "predict",
    "report",
    "rerun",
    "semantic_dictionary",
    "visualize",
]
