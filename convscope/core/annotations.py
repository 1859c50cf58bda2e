"""Annotations as written in a source file -> types, and types -> words for a user.

A file is read and never run, so an annotation is looked up piece by piece in a table of the types
that a user can type in; whatever names another type (a Tensor, a Probe) has no entry.
"""

from __future__ import annotations

import ast
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeAlias, cast

from convscope.core.types import Task

Annotation: TypeAlias = object
"""A class, None, a union, `list[int]`, a `Literal`, `Annotated[...]`: what stands behind the colon
of a parameter. Python has no narrower type for all of these."""


@lru_cache(maxsize=1)
def _types() -> dict[str, Annotation]:
    """The types by name. The ranges are loaded with them, when a type is first asked for: the list
    of verbs needs none."""
    from convscope.core import ranges

    return {
        "int": int,
        "float": float,
        "bool": bool,
        "str": str,
        "None": None,
        "list": list,
        "tuple": tuple,
        "dict": dict,
        "Mapping": Mapping,
        "Sequence": Sequence,
        "Literal": Literal,
        "Annotated": Annotated,
        "object": object,
        "Path": Path,
        # In text, a target is a class index or a label, and an image a file; a callable or an array
        # cannot be typed in.
        "TargetLike": int | str | None,
        "MaskLike": str | list[str],
        "MeanImage": str,
        "Task": Task,
        **{name: value for name, value in vars(ranges).items() if name[0].isupper()},
    }


def resolve(annotation: ast.expr | None) -> Annotation | None:
    """The type of an annotation, or None where a user cannot type its values in."""
    try:
        return _resolve(annotation) if annotation is not None else None
    except (KeyError, TypeError):
        return None


def resolve_text(annotation: str) -> Annotation | None:
    """`resolve` of an annotation in text."""
    try:
        return resolve(ast.parse(annotation, mode="eval").body)
    except SyntaxError:
        return None


def of_object(annotation: Annotation) -> Annotation | None:
    """A live annotation, or None where a user cannot type its values in."""
    arguments = typing.get_args(annotation)
    kind = base(annotation)
    if kind is Literal:
        return annotation
    if len(members(annotation)) > 1 or kind in (list, tuple, dict, Sequence, Mapping):
        parts = [part for part in arguments if part is not Ellipsis]
        return annotation if all(_is_typed(part) for part in parts) else None
    return annotation if _is_typed(annotation) else None


def _is_typed(annotation: Annotation) -> bool:
    return annotation is type(None) or base(annotation) in _types().values()


class _Generic(Protocol):
    """A type that takes others in brackets: `list`, `Annotated`."""

    def __getitem__(self, parameters: object, /) -> Annotation: ...


def _resolve(node: ast.expr) -> Annotation:
    match node:
        case ast.Name(id=name):
            return _types()[name]
        case ast.Constant(value=str(text)):
            return _resolve(ast.parse(text, mode="eval").body)
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return typing.Union[_resolve(left), _resolve(right)]  # noqa: UP007 - None | None
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inside):
            return Literal[ast.literal_eval(inside)]
        case ast.Subscript(value=outer, slice=ast.Tuple(elts=parts)):
            return parametrized(_resolve(outer), *map(_resolve, parts))
        case ast.Subscript(value=outer, slice=inside):
            return parametrized(_resolve(outer), _resolve(inside))
        case ast.Call(func=ast.Name(id=name), args=[bound]):
            return _bound(name, ast.literal_eval(bound))
    raise KeyError(ast.dump(node))


def parametrized(generic: Annotation, *parameters: object) -> Annotation:
    """A type with others in its brackets: `list[int]` of `list` and `int`."""
    inside = parameters if len(parameters) > 1 else parameters[0]
    return cast(_Generic, generic)[inside]


def _bound(name: str, value: float) -> object:
    import annotated_types

    kinds = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt)
    return {kind.__name__: kind for kind in kinds}[name](value)


def members(annotation: Annotation) -> tuple[Annotation, ...]:
    """The members of a union, or the type itself."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def choices(annotation: Annotation) -> tuple[str, ...]:
    """The words that the `Literal` members of a type allow."""
    return tuple(
        str(word)
        for member in members(annotation)
        if typing.get_origin(member) is Literal
        for word in typing.get_args(member)
    )


def base(annotation: Annotation) -> Annotation:
    """The type below `Annotated` and subscripts: `list` of `list[int]`, `int` of `PositiveInt`."""
    if typing.get_origin(annotation) is Annotated:
        return base(typing.get_args(annotation)[0])
    return typing.get_origin(annotation) or annotation


_WORDS: dict[Annotation, tuple[str, str]] = {
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    str: ("text", "texts"),
    Path: ("a path", "paths"),
    dict: ("a mapping", "mappings"),
    Mapping: ("a mapping", "mappings"),
}


def describe(annotation: Annotation, *, plural: bool = False) -> str:
    """A type in words: "an integer of 1 or more", "text or a list of texts"; that it may be left
    out is not said."""
    parts: list[str] = []
    for member in members(annotation):
        words = _describe_one(member, plural)
        if words not in parts and member is not type(None):
            parts.append(words)
    if len(parts) < 2:
        return parts[0] if parts else "none"
    return f"{', '.join(parts[:-1])} or {parts[-1]}"


def _describe_one(member: Annotation, plural: bool) -> str:
    kind, arguments = base(member), typing.get_args(member)
    if typing.get_origin(member) is Annotated:
        return _describe_one(arguments[0], plural) + _describe_bounds(arguments[1:])
    if kind is Literal:
        words = [str(word) for word in arguments]
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return f"{len(arguments)} {describe(arguments[0], plural=True)}"
    if kind in (list, tuple, Sequence):
        inside = f" of {describe(arguments[0], plural=True)}" if arguments else ""
        return f"lists{inside}" if plural else f"a list{inside}"
    if kind in _WORDS:
        return _WORDS[kind][plural]
    if kind is Callable:
        return "functions" if plural else "a function"
    name = getattr(kind, "__name__", str(kind))
    article = "an" if name[0] in "AEIOU" else "a"
    return f"{name}s" if plural else f"{article} {name}"


def _describe_bounds(metadata: tuple[object, ...]) -> str:
    import annotated_types

    match metadata:
        case (annotated_types.Ge(ge=least), annotated_types.Le(le=most)):
            return f" from {least:,} to {most:,}"
        case (annotated_types.Gt(gt=least), annotated_types.Le(le=most)):
            return f" above {least} and at most {most}"
        case (annotated_types.Ge(ge=least),):
            return f" of {least} or more"
        case (annotated_types.Gt(gt=least),):
            return f" above {least}"
        case (annotated_types.Le(le=most),):
            return f" of at most {most}"
    return ""
