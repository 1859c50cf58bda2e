"""The verbs of the command line and what they take, read from source files: nothing here imports
torch."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import convscope
from convscope import attribution, metrics
from convscope.concepts import registry as concept_methods
from convscope.core import docstring
from convscope.core.registry import Registry
from convscope.core.schema import Parameter, Schema

VERBS = {
    "report": "One page: what this network sees in this photo",
    "audit": "One page: what this network gets wrong in many photos, and why",
    "predict": "Look at a photo",
    "activations": "Look at a photo",
    "overview": "Look at a photo",
    "explain": "Look at a photo",
    "place": "Look at a photo",
    "features": "Look at a photo",
    "attention": "Look at a photo",
    "concepts": "Look at a photo",
    "activation_grid": "Make pictures by gradient ascent",
    "semantic_dictionary": "Make pictures by gradient ascent",
    "intervene": "Look at a photo",
    "evaluate": "Look at a photo",
    "benchmark_attribution": "Look at a photo",
    "visualize": "Make pictures by gradient ascent",
    "class_image": "Make pictures by gradient ascent",
    "caricature": "Make pictures by gradient ascent",
    "invert": "Make pictures by gradient ascent",
    "dream": "Make pictures by gradient ascent",
    "fool": "Make pictures by gradient ascent",
    "layers": "Find your way",
    "models": "Find your way",
    "rerun": "Find your way",
}
"""Verb -> the heading it stands under in `convscope --help`."""

PAGES = ("report", "audit")
"""Verbs that write a page."""

TABLES = ("predict", "layers", "evaluate", "models", "benchmark_attribution", "activations")
"""Verbs whose answer is a table, read in the terminal."""

LISTS = ("models",)
"""Verbs whose answer is a list of names, which no file is written of."""

ALIASES = {"models": "list_models"}
"""Verbs that have another name in Python, where a noun alone would say too little."""

CHOOSERS: dict[str, tuple[str, Registry[object]]] = {
    "concepts": ("method", concept_methods),
    "explain": ("method", attribution.registry),
    "evaluate": ("metric", metrics.registry),
}
"""Verbs that pass further options on to functions chosen by name: the parameter that chooses, and
the registry it chooses from."""

_ROOT = Path(str(convscope.__file__)).parent


@lru_cache(maxsize=1)
def _modules() -> dict[str, str]:
    """Public name -> the module that defines it, from the stub."""
    stub = ast.parse((_ROOT / "__init__.pyi").read_text(encoding="utf-8"))
    return {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def schema_of(name: str) -> Schema:
    """The schema of a public function, read from its source."""
    return Schema.of_file(*_source_of(name))


def doc_of(name: str) -> str:
    """The docstring of a public function alone, which is quicker to read than its schema."""
    return docstring.of_file(*_source_of(name))


def _source_of(name: str) -> tuple[Path, str]:
    """The file of a public function, and the function's name in it."""
    name = ALIASES.get(name, name)
    path = _ROOT.joinpath(*_modules()[name].split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")), name


def method_options(verb: Schema, name: str) -> list[Parameter]:
    """The options that a function chosen by `verb` has beyond the verb's own."""
    known = {parameter.name for parameter in verb.parameters}
    registry = CHOOSERS[verb.name][1]
    return [parameter for parameter in registry.schema(name).options if parameter.name not in known]


def preset_files() -> list[Path]:
    """The files of the presets, by name."""
    return sorted((_ROOT / "synthesis" / "presets").glob("*.toml"))
