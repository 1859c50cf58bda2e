"""Signature + docstring -> parameters: the one place that CLI options, forms and checks of JSON are
derived from.

A schema is read from source text, so that help can be shown without importing torch. The help of a
parameter is its line in the docstring's `Args:` section; its type is its annotation.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from convscope.errors import OptionError, suggest

REQUIRED: Any = inspect.Parameter.empty
"""The default of a parameter that has none."""

Count = int
"""The annotation of an option that is an integer of 1 or more."""

Share = float
"""The annotation of an option above 0 and at most 1."""

Amount = float
"""The annotation of an option of 0 or more."""

_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "Count": (lambda value: value >= 1, "1 or more"),
    "Share": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "Amount": (lambda value: value >= 0, "0 or more"),
}

_SIMPLE: dict[str, Any] = {
    "Count": int,
    "Share": float,
    "Amount": float,
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "None": None,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "Sequence": list,
    "Literal": Literal,
    "Any": Any,
    "Path": str,
    "TargetLike": int | str | None,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: name, annotation as written, default, one line of help, and whether it is
    keyword-only."""

    name: str
    annotation: str
    default: Any
    help: str
    keyword: bool

    @property
    def type(self) -> Any:
        """The type that the annotation names, or None where it is not one a user can type in (a
        Tensor, a Layer)."""
        try:
            return eval(self.annotation, {"__builtins__": {}}, dict(_SIMPLE))
        except (NameError, TypeError, SyntaxError):
            return None

    @property
    def plain(self) -> str:
        """The annotation in Python's own types."""
        return " | ".join(
            _SIMPLE[word].__name__ if word in _RANGES else word
            for word in self.annotation.split(" | ")
        )

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words of a `Literal`, else nothing."""
        return tuple(
            str(word)
            for option in _options(self.type)
            if typing.get_origin(option) is Literal
            for word in typing.get_args(option)
        )

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED

    @property
    def simple(self) -> bool:
        """Whether a user can give it as text or JSON."""
        return self.annotation != "None" and self.type is not None


@dataclass(frozen=True)
class Schema:
    """What a function takes and what it says about itself."""

    name: str
    doc: str
    parameters: tuple[Parameter, ...]

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        first = " ".join(self.doc.split("\n\n")[0].split())
        head, dot, _ = first.partition(". ")
        return head + (dot.strip() or "")

    @property
    def options(self) -> tuple[Parameter, ...]:
        """The keyword-only parameters a user can set."""
        return tuple(
            parameter for parameter in self.parameters if parameter.keyword and parameter.simple
        )

    @classmethod
    def of_file(cls, path: Path, name: str) -> Schema:
        """Read the function `name` from a file without importing it."""
        found = _schemas_in(path, path.stat().st_mtime_ns).get(name)
        if found is None:
            raise OptionError(f"{path.name} does not define a function called {name!r}.")
        return found

    @classmethod
    def of_function(cls, function: Callable[..., Any]) -> Schema:
        """Read a live function (one that was registered from a notebook, say)."""
        doc = inspect.getdoc(function) or ""
        helps = _argument_help(doc)
        found = []
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            annotation = parameter.annotation
            text = (
                annotation
                if isinstance(annotation, str)
                else getattr(annotation, "__name__", str(annotation))
            )
            keyword = parameter.kind is parameter.KEYWORD_ONLY
            found.append(Parameter(name, text, parameter.default, helps.get(name, ""), keyword))
        return cls(function.__name__, doc, tuple(found))

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        """The given options, checked and converted by their annotations.

        Raises:
            OptionError: an option that the function does not have, or a value that does not fit.
        """
        known = {parameter.name: parameter for parameter in self.options}
        checked = {}
        for name, value in given.items():
            if name not in known:
                hint = suggest(name, known) if known else "it takes no options."
                raise OptionError(f"{self.name} has no option {name!r}; {hint}")
            checked[name] = convert(self.name, known[name], value)
        return checked


def convert(owner: str, parameter: Parameter, value: Any) -> Any:
    """One value, checked against the annotation of its parameter; text is parsed."""
    if isinstance(value, str):
        value = _from_text(parameter, value)
    from pydantic import TypeAdapter, ValidationError

    try:
        found = TypeAdapter(parameter.type).validate_python(value)
    except ValidationError:
        wanted = " or ".join(parameter.choices) if parameter.choices else parameter.plain
        raise OptionError(
            f"{owner}: {parameter.name} must be {wanted}, but {value!r} was given."
        ) from None
    for word, (fits, said) in _RANGES.items():
        if word in parameter.annotation.split(" | ") and found is not None and not fits(found):
            raise OptionError(f"{owner}: {parameter.name} must be {said}; {found} was given.")
    return found


def _from_text(parameter: Parameter, text: str) -> Any:
    """Text from a command line or a form, split where a list is wanted."""
    kinds = [typing.get_origin(option) or option for option in _options(parameter.type)]
    if text.lower() in ("none", "") and type(None) in kinds:
        return None
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if str in kinds or Literal in kinds:
        return text
    parts = [_number(part.strip()) for part in text.strip("()[]").split(",") if part.strip()]
    listed = list in kinds or tuple in kinds
    return (
        parts
        if listed and (len(parts) > 1 or not {int, float} & set(kinds))
        else (parts[0] if len(parts) == 1 else text)
    )


def _number(text: str) -> str | float:
    """A fraction such as 1/255 as a number; anything else is left to the check."""
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else text
    except (ValueError, ZeroDivisionError):
        return text


def _options(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def _argument_help(doc: str) -> dict[str, str]:
    """Parameter name -> its text in the `Args:` section."""
    helps: dict[str, str] = {}
    name = None
    lines: Iterable[str] = doc.partition("\nArgs:\n")[2].splitlines()
    for line in lines:
        if line.strip() and not line.startswith("    "):
            break
        entry = line[4:]
        if entry and not entry.startswith(" ") and ":" in entry:
            name, _, text = entry.partition(":")
            helps[name.strip()] = text.strip()
        elif name and entry.strip():
            helps[name.strip()] += " " + entry.strip()
    return helps


@lru_cache(maxsize=512)
def _schemas_in(path: Path, changed: int) -> dict[str, Schema]:
    """All top-level functions of a file; `changed` is its time stamp, so that an edited file is
    read anew."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants: dict[str, Any] = {}
    schemas = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if (
            isinstance(node, (ast.Assign, ast.AnnAssign))
            and isinstance(target, ast.Name)
            and node.value is not None
        ):
            constants[target.id] = _literal(node.value, constants)
        if isinstance(node, ast.FunctionDef):
            schemas[node.name] = _schema_of(node, constants)
        if isinstance(node, ast.ClassDef):
            init = next(
                (
                    part
                    for part in node.body
                    if isinstance(part, ast.FunctionDef) and part.name == "__init__"
                ),
                None,
            )
            if init is not None:
                read = _schema_of(init, constants)
                doc = inspect.cleandoc(ast.get_docstring(node) or "")
                helps = _argument_help(doc)
                mended = tuple(
                    Parameter(p.name, p.annotation, p.default, helps.get(p.name, p.help), p.keyword)
                    for p in read.parameters
                )
                schemas[node.name] = Schema(node.name, doc, mended)
    return schemas


def _schema_of(node: ast.FunctionDef, constants: dict[str, Any]) -> Schema:
    doc = textwrap.dedent(ast.get_docstring(node) or "")
    helps = _argument_help(doc)
    positional = [*node.args.posonlyargs, *node.args.args]
    blanks: list[ast.expr | None] = [None] * (len(positional) - len(node.args.defaults))
    pairs = [
        *(
            (argument, default, False)
            for argument, default in zip(positional, [*blanks, *node.args.defaults], strict=True)
        ),
        *(
            (argument, default, True)
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        ),
    ]
    return Schema(
        node.name,
        doc,
        tuple(
            Parameter(
                argument.arg,
                ast.unparse(argument.annotation) if argument.annotation else "None",
                REQUIRED if default is None else _literal(default, constants),
                helps.get(argument.arg, ""),
                keyword,
            )
            for argument, default, keyword in pairs
        ),
    )


def _literal(node: ast.expr, constants: dict[str, Any]) -> Any:
    """The value of a default: a literal, a named constant of the file, or else its source text."""
    if isinstance(node, ast.Name) and node.id in constants:
        return constants[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
