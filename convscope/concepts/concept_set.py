"""Concepts as they are kept: directions of a layer of a network, with how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convscope.concepts.factors import Floats
from convscope.core.files import write_whole
from convscope.errors import OptionError
from convscope.networks.concept_file import KIND, read_concepts
from convscope.synthesis.objective import Objective, objective


@dataclass(frozen=True)
class ConceptSet:
    """Directions (k c) in the channels of one layer; `provenance` says how they were made.

    Example:
        ConceptSet(directions, "blocks.5", {}).save("concepts.safetensors")
        convscope.visualize(model, ConceptSet.load("concepts.safetensors").objective(3))
    """

    directions: Floats
    layer: str
    provenance: Mapping[str, object]

    def __len__(self) -> int:
        return len(self.directions)

    def objective(self, index: int, power: float = 1.0) -> Objective:
        """One concept as what an optimization raises: dot product x cosine^power.

        Raises:
            OptionError: there is no such concept.
        """
        if not 0 <= index < len(self):
            raise OptionError(f"There are {len(self)} concepts, 0 to {len(self) - 1}; not {index}.")
        vector = tuple(self.directions[index].tolist())
        return objective("direction", layer=self.layer, vector=vector, power=power)

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file, whole or not at all."""
        return write_whole(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The contents of the safetensors file."""
        from safetensors.numpy import save

        facts = json.dumps({"layer": self.layer, "provenance": dict(self.provenance)})
        metadata = {"kind": KIND, "facts": facts}
        tensors = {"directions": np.ascontiguousarray(self.directions, np.float32)}
        return save(tensors, metadata)

    @classmethod
    def load(cls, path: str | Path) -> ConceptSet:
        """Read what `save` wrote; nothing in the file is run.

        Raises:
            InputError: it is no such file, or its numbers are not finite.
        """
        saved = read_concepts(path)
        return cls(saved.directions, saved.layer, saved.provenance)
