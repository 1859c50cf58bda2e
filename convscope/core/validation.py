"""The one place where a value is checked against an annotation: the options of parts, the arguments
of verbs, from Python and from text."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Annotated, Literal, ParamSpec, TypeVar, cast

from convscope.core.annotations import Annotation, base, describe, members, parametrized
from convscope.errors import OptionError, shown, suggest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from pydantic import TypeAdapter

P = ParamSpec("P")
R = TypeVar("R")

_CONTAINERS = (list, tuple, dict, Sequence, Mapping)


def check(owner: str, name: str, annotation: Annotation, value: object) -> object:
    """A value as its annotation wants it; text is read as on a command line.

    An integer may come as NumPy's, a tuple as a list; a bool is no number, and a number is finite.

    Raises:
        OptionError: the value does not fit.
    """
    from pydantic import ValidationError

    try:
        plain = _without_numpy(value, annotation)
        if isinstance(plain, str):
            plain = _from_text(annotation, plain)
        return _adapter(annotation).validate_python(plain)
    # A list that contains itself, or a row that cannot be built from a list (a memoryview).
    except (ValidationError, RecursionError, TypeError):
        raise OptionError(
            f"{owner}: {name} must be {describe(annotation)}; {shown(value)} was given."
        ) from None


def check_arguments(
    function: Callable[..., object],
    args: Sequence[object],
    kwargs: Mapping[str, object],
    *,
    unchecked: Sequence[str] = (),
) -> inspect.BoundArguments:
    """The arguments of a call by name, each checked against its annotation, defaults filled in.

    `unchecked` are those that the function itself reads (a network, photos).

    Raises:
        OptionError: an argument that is missing, unknown, or does not fit.
    """
    name = function.__name__
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = [argument for argument in kwargs if argument not in signature.parameters]
        if unknown:
            hint = suggest(unknown[0], signature.parameters)
            raise OptionError(f"{name} has no argument {unknown[0]!r}; {hint}") from None
        raise OptionError(f"{name}: {error}; it takes {', '.join(signature.parameters)}.") from None
    hints = _hints(function, tuple(unchecked))
    for argument, value in bound.arguments.items():
        variadic = signature.parameters[argument].kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        if argument in hints and not variadic:
            bound.arguments[argument] = check(name, argument, hints[argument], value)
    bound.apply_defaults()
    return bound


def checked(*unchecked: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator for public functions: every argument is checked against its annotation, but for the
    `unchecked`, which the function itself reads."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = check_arguments(function, args, kwargs, unchecked=unchecked)
            return function(*bound.args, **bound.kwargs)

        return call

    return decorate


@lru_cache(maxsize=512)
def _hints(function: Callable[..., object], unchecked: tuple[str, ...]) -> dict[str, Annotation]:
    """The annotations as types, but for those of the unchecked arguments, which may be known to
    type checkers only."""
    annotations = {
        name: annotation
        for name, annotation in function.__annotations__.items()
        if name not in (*unchecked, "return")
    }
    return typing.get_type_hints(
        types.SimpleNamespace(__annotations__=annotations),
        globalns=function.__globals__,
        include_extras=True,
    )


@lru_cache(maxsize=1024)
def _adapter(annotation: Annotation) -> TypeAdapter[object]:
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(arbitrary_types_allowed=True)
    return TypeAdapter(cast("type[object]", _strict(annotation)), config=config)


def _strict(annotation: Annotation) -> Annotation:
    """The same type with no conversion between numbers, text and bool, and no infinity; containers
    stay lenient, so that a list does for a tuple."""
    from pydantic import AllowInfNan, Strict

    arguments = typing.get_args(annotation)
    if len(members(annotation)) > 1:
        return typing.Union[tuple(_strict(member) for member in members(annotation))]  # noqa: UP007
    if typing.get_origin(annotation) is Annotated:
        return parametrized(Annotated, _strict(arguments[0]), *arguments[1:])
    if annotation is float:
        return Annotated[float, Strict(), AllowInfNan(False)]
    if annotation in (int, bool, str):
        return parametrized(Annotated, annotation, Strict())
    if base(annotation) in _CONTAINERS and arguments:
        inside = tuple(part if part is Ellipsis else _strict(part) for part in arguments)
        return parametrized(typing.get_origin(annotation), *inside)
    if isinstance(annotation, type) and annotation not in (object, type(None), *_CONTAINERS):
        return _instance_of(annotation)
    return annotation


def _instance_of(kind: type) -> Annotation:
    """The type whose values are instances of a class. Named by itself, pydantic would read a
    dataclass field by field and build one from a dictionary."""
    from pydantic import AfterValidator

    def verify(value: object) -> object:
        if not isinstance(value, kind):
            raise ValueError
        return value

    return Annotated[object, AfterValidator(verify)]


def _without_numpy(value: object, annotation: Annotation = None) -> object:
    """NumPy's scalars as Python's own, also within lists; a row of numbers as a list where one is
    wanted."""
    if type(value) is list:
        return [_without_numpy(part) for part in value]
    if isinstance(value, tuple):  # also torch.Size, which holds nothing but integers
        return tuple(_without_numpy(part) for part in value)
    if type(value).__module__ != "numpy":
        return value
    array = cast("npt.NDArray[np.generic]", value)
    shape = getattr(array, "shape", None)
    is_list = shape is not None and len(shape) == 1 and _takes_list(annotation)
    return array.tolist() if shape == () or is_list else value


def _takes_list(annotation: Annotation) -> bool:
    return any(base(member) in (list, tuple, Sequence) for member in members(annotation))


def _from_text(annotation: Annotation, text: str) -> object:
    """Text from a command line or a form as the type wants it, split at commas where a list is
    wanted; what cannot be read is left for the check to refuse."""
    kinds = [base(member) for member in members(annotation)]
    # Where text is wanted, "none" may be a word of its own: no transform, no regularizer.
    if type(None) in kinds and str not in kinds and text.lower() == "none":
        return None
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    words = [word for member in members(annotation) for word in _words(member)]
    if str in kinds or text in words or not _holds_numbers(annotation):
        return text
    parts = [_number(part.strip()) for part in text.strip("()[]").split(",") if part.strip()]
    wants_list = _takes_list(annotation)
    if wants_list and (len(parts) > 1 or not {int, float} & set(kinds)):
        return parts
    return parts[0] if len(parts) == 1 else text


def _words(annotation: Annotation) -> tuple[object, ...]:
    """The words that a type allows, where it is a list of such."""
    is_literal = typing.get_origin(annotation) is Literal
    return typing.get_args(annotation) if is_literal else ()


def _holds_numbers(annotation: Annotation) -> bool:
    return any(
        base(member) in (int, float)
        or (
            base(member) in (list, tuple, Sequence)
            and any(map(_holds_numbers, typing.get_args(member)))
        )
        for member in members(annotation)
    )


def _number(text: str) -> str | float:
    """An integer, a decimal, or a fraction such as 1/255; other text as it is."""
    above, slash, below = text.partition("/")
    try:
        if slash:
            return float(above) / float(below)
        number = float(text)
        # int() would lose nothing of a whole number, but reads only digits.
        return int(text) if text.lstrip("+-").isdigit() and math.isfinite(number) else number
    except (ValueError, ZeroDivisionError, OverflowError):
        return text
