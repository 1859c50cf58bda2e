"""Concepts in a file: directions of a layer, as `concept:NAME/3` names one of them, and
`concept:NAME` all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.errors import InputError, UnitError

KIND = "convscope concepts"
"""What the file says it is."""

ENDING = ".safetensors"

PREFIX = "concept:"

ADVICE = "; give a .safetensors file that the verb concepts saved"

_TEXT = re.compile(r"concept:(?P<name>.+)/(?P<index>\d+)")


@dataclass(frozen=True)
class SavedConcepts:
    """Directions (k c), the layer whose channels they are in, and how they were made."""

    directions: NDArray[np.float32]
    layer: str
    provenance: Mapping[str, object]

    @property
    def shape(self) -> tuple[int, int]:
        """How many directions there are, and of how many channels."""
        return self.directions.shape[0], self.directions.shape[1]


@dataclass(frozen=True)
class SavedConcept:
    """One direction (c) of a layer."""

    layer: str
    direction: tuple[float, ...]


def names_concept(text: str) -> bool:
    """Whether a text is written as one concept, concept:NAME/3."""
    return _TEXT.fullmatch(text.strip()) is not None


def read_concept(text: str) -> SavedConcept:
    """The concept that `concept:NAME/3` names: NAME is a path, with or without its ending.

    Raises:
        UnitError: another text, or no such concept in the file.
        InputError: there is no such file, or it holds no concepts.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"A concept is written concept:NAME/3; {text!r} was given.")
    concept = read_layer(text.strip())
    return SavedConcept(concept.layer, tuple(concept.directions[0].tolist()))


def read_layer(text: str) -> SavedConcepts:
    """What `concept:NAME` (all concepts) or `concept:NAME/3` (one) stands for; a file is read
    again when it has changed.

    Raises:
        UnitError: no such concept in the file.
        InputError: there is no such file, or it holds no concepts.
    """
    match = _TEXT.fullmatch(text)
    name = match["name"] if match else text.removeprefix(PREFIX)
    path = name if name.endswith(ENDING) else name + ENDING
    try:
        state = Path(path).stat()
        version = (state.st_mtime_ns, state.st_size)
    except (OSError, ValueError):
        version = (0, 0)
    concepts = _read_version(path, version)
    if match is None:
        return concepts
    index, count = int(match["index"]), len(concepts.directions)
    if index >= count:
        raise UnitError(f"{path} holds {count} concepts, 0 to {count - 1}; not {index}.")
    return replace(concepts, directions=concepts.directions[index : index + 1])


@lru_cache(maxsize=16)
def _read_version(path: str, version: tuple[int, int]) -> SavedConcepts:
    return read_concepts(path)


def read_concepts(path: str | Path) -> SavedConcepts:
    """All concepts of a file; nothing in it is run.

    Raises:
        InputError: it is no such file, or its numbers are not finite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "np") as file:
            metadata = file.metadata() or {}
            facts = json.loads(metadata["facts"]) if metadata.get("kind") == KIND else {}
            directions = file.get_tensor("directions")
            layer, provenance = facts["layer"], facts["provenance"]
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.") from None
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} holds no concepts{ADVICE} ({type(error).__name__}).") from None
    is_matrix = directions.ndim == 2 and directions.dtype == np.float32 and directions.size > 0
    if not (is_matrix and isinstance(layer, str) and isinstance(provenance, dict)):
        raise InputError(f"{path} holds no concepts{ADVICE}.")
    if not np.isfinite(directions).all():
        raise InputError(f"The concepts in {path} have numbers that are not finite.")
    return SavedConcepts(directions, layer, provenance)
