"""Signature + docstring -> parameters: the one place that CLI options, forms and checks of JSON are
derived from.

A schema is read from source text, so that help can be shown without importing torch. The help of a
parameter is its line in the docstring's `Args:` section; its type is its annotation.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from convscope.core import docstring, unpack
from convscope.core.annotations import Annotation, choices, of_object, resolve, resolve_text
from convscope.core.types import Options
from convscope.core.validation import check
from convscope.errors import OptionError, suggest

REQUIRED = inspect.Parameter.empty
"""The default of a parameter that has none."""

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function.

    `annotation` is its annotation as it stands in the source or on the live function, `help` its
    text in the docstring, `keyword` whether it is keyword-only.
    """

    name: str
    annotation: ast.expr | Annotation | None
    default: object
    help: str
    keyword: bool

    @cached_property
    def type(self) -> Annotation | None:
        """Its type, or None where a user cannot type its values in (a Tensor, a Probe)."""
        match self.annotation:
            case None | ast.expr():
                return resolve(self.annotation)
            case str(text):
                return resolve_text(text)
        return of_object(self.annotation)

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words of a `Literal`, else nothing."""
        return choices(self.type)

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    @property
    def is_simple(self) -> bool:
        """Whether a user can give it as text or JSON."""
        return self.type is not None


@dataclass(frozen=True)
class Schema:
    """What a function takes and what it says about itself."""

    name: str
    doc: str
    parameters: tuple[Parameter, ...]

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        return docstring.summary(self.doc)

    @property
    def options(self) -> tuple[Parameter, ...]:
        """The keyword-only parameters a user can set."""
        return tuple(
            parameter for parameter in self.parameters if parameter.keyword and parameter.is_simple
        )

    @classmethod
    def of_file(cls, path: Path, name: str) -> Schema:
        """Read the function or class `name` from a file without importing it."""
        schema = _schemas_in(path, path.stat().st_mtime_ns).get(name)
        if schema is None:
            raise OptionError(f"{path.name} does not define a function called {name!r}.")
        return schema

    @classmethod
    def of_function(cls, function: Callable[..., object]) -> Schema:
        """Read a live function (one that was registered from a notebook, say)."""
        return _schema_of_function(function)

    def validate(self, values: Mapping[str, object]) -> Options:
        """The options of a call, checked and converted by their annotations.

        Raises:
            OptionError: an option that the function does not have, or a value that does not fit.
        """
        known = {parameter.name: parameter for parameter in self.options}
        for name in values:
            if name not in known:
                hint = suggest(name, known) if known else "it takes no options."
                raise OptionError(f"{self.name} has no option {name!r}; {hint}")
        return {
            name: check(self.name, name, known[name].type, value) for name, value in values.items()
        }


@lru_cache(maxsize=512)
def _schema_of_function(function: Callable[..., object]) -> Schema:
    doc = inspect.getdoc(function) or ""
    helps = docstring.argument_help(doc)
    parameters = [
        Parameter(
            name,
            parameter.annotation,
            parameter.default,
            helps.get(name, ""),
            parameter.kind is parameter.KEYWORD_ONLY,
        )
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    return Schema(function.__name__, doc, tuple(parameters))


@lru_cache(maxsize=512)
def _schemas_in(path: Path, changed: int) -> dict[str, Schema]:
    """All functions and classes at the top of a file; `changed` is its time stamp, so that an
    edited file is read anew."""
    constants: dict[str, object] = {}
    schemas = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                for name in [alias.name for alias in names if alias.name.isupper()]:
                    constants[name] = _constants_in(module).get(name, name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                constants[name] = _default(value, constants)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                constants[name] = _default(value, constants)
            case ast.FunctionDef(name=name):
                schemas[name] = _schema_of(node, constants, path)
            case ast.ClassDef(name=name):
                schema = _schema_of_class(node, constants, path)
                if schema is not None:
                    schemas[name] = schema
    return schemas


@lru_cache
def _constants_in(module: str) -> dict[str, object]:
    """The constants at the top of a module of this package, read and not imported."""
    package, *parts = module.split(".")
    path = PACKAGE.joinpath(*parts).with_suffix(".py")
    if package != PACKAGE.name or not path.is_file():
        return {}
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {
        node.targets[0].id: _default(node.value, {})
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _schema_of_class(node: ast.ClassDef, constants: dict[str, object], path: Path) -> Schema | None:
    """A class called like a function: its `__init__`, described by the docstring of the class."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            doc = inspect.cleandoc(ast.get_docstring(node) or "")
            helps = docstring.argument_help(doc)
            parameters = tuple(
                replace(parameter, help=helps.get(parameter.name, parameter.help))
                for parameter in _schema_of(part, constants, path).parameters
            )
            return Schema(node.name, doc, parameters)
    return None


def _schema_of(node: ast.FunctionDef, constants: dict[str, object], path: Path) -> Schema:
    doc = ast.get_docstring(node) or ""
    helps = docstring.argument_help(doc)
    positional = [*node.args.posonlyargs, *node.args.args]
    without_default = len(positional) - len(node.args.defaults)
    defaults = [*[None] * without_default, *node.args.defaults, *node.args.kw_defaults]
    written = [
        Parameter(
            argument.arg,
            argument.annotation,
            REQUIRED if default is None else _default(default, constants),
            helps.get(argument.arg, ""),
            place >= len(positional),
        )
        for place, (argument, default) in enumerate(
            zip([*positional, *node.args.kwonlyargs], defaults, strict=True)
        )
    ]
    shared = unpack.unpacked_name(node.args.kwarg.annotation) if node.args.kwarg else None
    unpacked = [
        Parameter(key.name, key.annotation, None, helps.get(key.name, key.help), True)
        for key in (unpack.keys_in(path, shared) if shared else [])
    ]
    return Schema(node.name, doc, (*written, *unpacked))


def _default(node: ast.expr, constants: dict[str, object]) -> object:
    """The value of a default: a literal, a named constant of the file, or else its source text."""
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
