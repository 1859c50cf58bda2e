"""What ran, on what, with what: enough to make a result again, and to know whether it was.

A provenance is a plain JSON object:

    verb          the function of `convscope.verbs` that ran
    arguments     its arguments as JSON (the model's own are under `model`)
    model         name, spec (what `load_model` was given; None for a module that only exists in
                  memory), options, weights hash
    photos        for each photo: path (None for one from memory), sha256 of its pixels, height,
                  width
    seed          the seed of the one generator, where the verb draws random numbers
    device, threads, versions
    seconds       how long it took; not part of the identity, and not written into pictures
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

SCHEMA = 1
"""Goes up when a reader of old provenance would have to know."""

_PACKAGES = ("convscope", "torch", "torchvision", "timm", "numpy", "pillow")


def versions() -> dict[str, str]:
    """The versions of everything that can change a result."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe(
    verb: str,
    arguments: dict[str, Any],
    *,
    model: dict[str, Any],
    photos: list[dict[str, Any]],
    device: str,
    threads: int,
) -> dict[str, Any]:
    """The provenance of one call, ready to be completed with `seconds`."""
    return {
        "schema": SCHEMA,
        "verb": verb,
        "arguments": plain(arguments),
        "model": model,
        "photos": photos,
        "device": device,
        "threads": threads,
        "versions": versions(),
    }


def plain(value: Any) -> Any:
    """A value as JSON holds it; what JSON cannot hold becomes a text that says what it was."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    return f"<{getattr(value, '__qualname__', type(value).__name__)}>"


def text(provenance: dict[str, Any]) -> str:
    """The part that identifies the result, as one line of JSON with sorted keys: what a picture
    carries."""
    return json.dumps(
        {key: value for key, value in provenance.items() if key != "seconds"},
        sort_keys=True,
        ensure_ascii=False,
    )


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
