"""What ran, on what, with what: enough to make a result again, and to know whether it was."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NotRequired, TypeAlias

import numpy as np
from typing_extensions import TypedDict

from convscope.core.text import storable

SCHEMA = 1
"""Goes up when a reader of old provenance would have to know."""

_PACKAGES = ("convscope", "torch", "torchvision", "timm", "numpy", "pillow")

Json: TypeAlias = Any
"""A value as JSON holds it."""

Row: TypeAlias = dict[str, Json]
"""One row of a table; the columns depend on the verb."""


class ModelRecord(TypedDict):
    """A network: its name, what `load_model` was given (None for a module that only exists in
    memory), the options, how a photo comes to its size (crop or squash; crop where an older file
    does not say it), and a hash of the weights."""

    name: str
    spec: str | None
    options: dict[str, Json]
    resize: NotRequired[str]
    weights: str


class PhotoRecord(TypedDict):
    """A photo: its path (None for one from memory), a hash of its pixels, and its size."""

    path: str | None
    sha256: str
    height: int
    width: int


class Interruption(TypedDict):
    """Where Ctrl-C ended a verb: `after` so many `of` so many steps of the optimization that was
    running, and how many the verb had made in all of its optimizations."""

    after: int
    of: int
    all_steps: int


class Provenance(TypedDict, total=False):
    """How a result was made, as JSON; a result put together by hand has none of it.

    `verb` is the public function and `arguments` are its own, without the model and photos.
    `seconds` is no part of the identity and is not written into pictures; `picture` are the options
    that the picture was drawn with. `interrupted` is there only where the work was not finished.
    """

    schema: int
    verb: str
    arguments: dict[str, Json]
    model: ModelRecord
    photos: list[PhotoRecord]
    device: str
    threads: int
    versions: dict[str, str]
    seconds: float
    picture: dict[str, Json]
    interrupted: Interruption


@cache
def versions() -> dict[str, str]:
    """The versions of everything that can change a result; read once, since it takes longer than a
    small network."""
    numbers = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            continue
    return numbers


def describe(
    verb: str,
    arguments: Mapping[str, object],
    *,
    model: ModelRecord,
    photos: list[PhotoRecord],
    device: str,
    threads: int,
) -> Provenance:
    """The provenance of one call, ready to be completed with `seconds`."""
    return {
        "schema": SCHEMA,
        "verb": verb,
        "arguments": to_json(arguments),
        "model": model,
        "photos": photos,
        "device": device,
        "threads": threads,
        "versions": dict(versions()),
    }


def to_json(value: object, *, within: tuple[int, ...] = ()) -> Json:
    """A value as JSON holds it; what JSON cannot hold becomes a text that says what it was.

    Args:
        value: any object.
        within: the ids of the containers that it lies in.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if id(value) in within:
        return f"<{type(value).__name__} within itself>"
    inside = (*within, id(value))
    if isinstance(value, Mapping):
        return {str(key): to_json(entry, within=inside) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(entry, within=inside) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "to_json"):
        return to_json(value.to_json())
    return f"<{getattr(value, '__qualname__', type(value).__name__)}>"


def check_provenance(value: Json) -> Provenance:
    """A provenance that was read from a file; what it has beyond the known keys is dropped.

    Raises:
        ValueError: a part that has not its type.
    """
    from pydantic import TypeAdapter

    checker: TypeAdapter[Provenance] = TypeAdapter(Provenance)
    return checker.validate_python(value, strict=True)


def check_rows(value: Json) -> list[Row]:
    """A table that was read from a file.

    Raises:
        ValueError: it is no list of objects.
    """
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ValueError("no table")
    return value


def to_text(provenance: Provenance) -> str:
    """The part that identifies the result, as one line of JSON with sorted keys: what a picture
    carries."""
    kept = {key: value for key, value in provenance.items() if key != "seconds"}
    # In a JSON string a backslash is doubled, so an escaped surrogate cannot be mistaken for text.
    return storable(json.dumps(kept, sort_keys=True, ensure_ascii=False))
