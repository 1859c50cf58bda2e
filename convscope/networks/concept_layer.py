"""`concept:NAME` as a layer: what a layer gives, seen along the directions that were saved in
NAME.safetensors.

Each direction is one channel of it: the dot products with the layer's activations, and, of a
gradient, the derivatives along the directions. `concept:NAME/3` is the layer of one channel.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.networks.concept_file import PREFIX, SavedConcepts, read_layer


def is_concept_layer(name: str) -> bool:
    """Whether a layer's name stands for saved concepts."""
    return name.startswith(PREFIX)


def module_and_call(name: str) -> tuple[str, int | None]:
    """The module behind a layer's name, and which of its runs is meant (None: the last)."""
    if is_concept_layer(name):
        return module_and_call(read_layer(name).layer)
    base, mark, call = name.partition("#")
    return base, int(call) if mark else None


def concept_digest(name: str) -> str:
    """SHA-256 of a concept layer's directions."""
    return sha256(read_layer(name).directions.tobytes()).hexdigest()


def versioned(name: str) -> str:
    """A layer's name, of a concept layer with the digest of its directions: the file may change
    while its name stays."""
    return f"{name} {concept_digest(name)}" if is_concept_layer(name) else name


def project(maps: Tensor, name: str) -> Tensor:
    """Maps of the layer (n c h w), or their gradient, along the concepts' directions (n k h w)."""
    directions = torch.tensor(read_layer(name).directions, device=maps.device, dtype=maps.dtype)
    return torch.einsum("nchw,kc->nkhw", maps, directions)


def with_projection(maps: Tensor, wanted: Tensor, name: str) -> Tensor:
    """Maps of the layer (1 c h w) changed as little as it takes for their projection to be `wanted`
    (m k h w): what is across the directions stays."""
    inverse = _inverse(read_layer(name)).to(maps)
    change = wanted.to(maps.dtype) - project(maps, name)
    return maps + torch.einsum("mkhw,kc->mchw", change, inverse)


def without_concepts(maps: Tensor, name: str) -> Tensor:
    """Maps of the layer (1 c h w) less what they have along the concepts' directions."""
    return with_projection(maps, torch.zeros_like(project(maps, name)), name)


def _inverse(concepts: SavedConcepts) -> Tensor:
    """What to add to an activation for each unit of change of each projection (k c)."""
    return torch.from_numpy(_pseudo_inverse(concepts.directions.tobytes(), concepts.shape))


@lru_cache(maxsize=8)
def _pseudo_inverse(content: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    directions = np.frombuffer(content, np.float32).reshape(shape)
    return np.ascontiguousarray(np.linalg.pinv(directions.astype(np.float64)).T, np.float32)
