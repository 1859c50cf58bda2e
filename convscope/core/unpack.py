"""Options that several functions share, written once: `**overrides: Unpack[Overrides]` (PEP 692).

Each key of the TypedDict is a keyword option that is None where it is left out; the text below a
key is its help. `written_out` gives a live function the signature and docstring that it would have
with every key written out; `core/schema.py` reads the same from source.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from convscope.core import docstring

F = TypeVar("F", bound=Callable[..., object])

DOC_WIDTH = 100
"""Columns of a docstring."""


class Key(NamedTuple):
    """A key of a TypedDict as it is written: its name, its annotation, and its help."""

    name: str
    annotation: ast.expr
    help: str


def unpacked_name(annotation: ast.expr | None) -> str | None:
    """The name of the TypedDict in `Unpack[...]`; None for any other annotation."""
    match annotation:
        case ast.Subscript(value=ast.Name(id="Unpack"), slice=ast.Name(id=name)):
            return name
    return None


def keys_in(path: Path, name: str) -> list[Key]:
    """The keys of the TypedDict `name`, of its bases first, as a file defines or imports it; no
    module is imported."""
    body = _body(path, path.stat().st_mtime_ns)
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            inherited = [
                key
                for base in node.bases
                if isinstance(base, ast.Name) and base.id != "TypedDict"
                for key in keys_in(path, base.id)
            ]
            return [*inherited, *_written_keys(node)]
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            spec = importlib.util.find_spec(str(node.module))
            return keys_in(Path(str(spec.origin if spec else "")), name)
    return []


def _written_keys(node: ast.ClassDef) -> Iterator[Key]:
    for part, following in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield Key(part.target.id, part.annotation, " ".join(text.split()))
                case _:
                    yield Key(part.target.id, part.annotation, "")


@lru_cache(maxsize=64)
def _body(path: Path, changed: int) -> list[ast.stmt]:
    """The statements of a file; `changed` is its time stamp."""
    return ast.parse(path.read_text(encoding="utf-8")).body


def written_out(function: F) -> F:
    """The same function; its signature, annotations and docstring have every key of the TypedDict
    that it unpacks. A help in its own docstring stays."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    annotation = function.__annotations__.get(parameters[-1].name) if parameters else None
    if not isinstance(annotation, str) or parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
        return function
    name = unpacked_name(ast.parse(annotation, mode="eval").body)
    if name is None:
        return function
    kind = function.__globals__[name]
    hints = typing.get_type_hints(kind, include_extras=True)
    keys = keys_in(Path(str(sys.modules[kind.__module__].__file__)), name)
    options = [
        inspect.Parameter(
            key.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hints[key.name]
        )
        for key in keys
    ]
    function.__signature__ = signature.replace(parameters=[*parameters[:-1], *options])  # type: ignore[attr-defined]
    del function.__annotations__[parameters[-1].name]
    function.__annotations__ |= {key.name: hints[key.name] for key in keys}
    function.__doc__ = doc_with(inspect.getdoc(function) or "", keys)
    return function


def doc_with(doc: str, keys: list[Key]) -> str:
    """A docstring whose `Args:` section has these keys too."""
    known = docstring.argument_help(doc)
    lines = [
        textwrap.fill(
            f"{key.name}: {key.help}", DOC_WIDTH, initial_indent="    ", subsequent_indent=" " * 8
        )
        for key in keys
        if key.name not in known
    ]
    head, mark, sections = doc.partition("\nArgs:\n")
    arguments, gap, others = sections.partition("\n\n")
    return head + mark + "\n".join([arguments, *lines]) + gap + others
