"""Weights from local files, as data only, and random weights that are always the same."""

from __future__ import annotations

import os
import pickle
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from convscope.errors import ModelError

ZERO_HEAD_STD = 0.02
"""Spread of a matrix that would start at zero: what vision transformers start their other matrices
with."""


def with_fixed_seed(build: Callable[[], nn.Module]) -> nn.Module:
    """A network as `build` makes it, what it draws from seed 0; the caller's random state is left
    alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def with_random_weights(build: Callable[[], nn.Module]) -> nn.Module:
    """A network of a library with random weights from seed 0; the caller's random state is left
    alone.

    A weight matrix that starts at zero (torchvision's ViT head) is drawn as well: every score would
    be the same number. For networks whose weights mean something that is wrong: a zero may be what
    training or pruning left.
    """

    def built() -> nn.Module:
        network = build()
        draw_zero_matrices(network)
        return network

    return with_fixed_seed(built)


def draw_zero_matrices(network: nn.Module) -> None:
    """Draw each weight matrix of an untrained network or head that is zero, in place."""
    for weight in network.parameters():
        if weight.ndim > 1 and weight.numel() > 0 and not weight.any():
            nn.init.normal_(weight, std=ZERO_HEAD_STD)


def with_trained_weights(spec: str, build: Callable[[], nn.Module]) -> nn.Module:
    """A network with the trained weights of its library, downloaded on first use into the library's
    own cache.

    Raises:
        ModelError: they could not be fetched; the message names the ways out.
    """
    try:
        return with_fixed_seed(build)
    except Exception as error:
        raise ModelError(
            f"The weights of {spec} could not be fetched ({type(error).__name__}); "
            "use weights=False for random ones or weights=PATH for a local file."
        ) from error


def read_weights(path: str) -> dict[str, Tensor]:
    """A state dict from a file; nothing in it is ever executed.

    Raises:
        ModelError: the file is missing, truncated, no state dict, or a pickle that would run code.
    """
    if not os.path.isfile(path):
        raise ModelError(f"There is no weights file {path!r}.")
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            stored: object = load_file(path)
        else:
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path!r} is not plain weights (it holds objects that would run code, or is damaged),"
            " so it is refused; save the network's state_dict() or a .safetensors file."
        ) from error
    except Exception as error:
        raise ModelError(
            f"{path!r} cannot be read as weights ({type(error).__name__}); it is damaged or of"
            " another format."
        ) from error
    for key in ("state_dict", "model_state_dict", "model", "ema_state_dict"):
        if isinstance(stored, dict) and isinstance(stored.get(key), dict):
            stored = stored.get(key)
    if (
        not isinstance(stored, dict)
        or not stored
        or not all(isinstance(value, Tensor) for value in stored.values())
    ):
        raise ModelError(f"{path!r} holds no state dict (names and tensors).")
    return stored


def load_weights(network: nn.Module, path: str) -> None:
    """Put the weights of a file into a network; what wrappers (DataParallel, Lightning ...) put
    before the keys is taken off.

    Raises:
        ModelError: keys are missing, left over, or of another shape; the message names them.
    """
    stored, expected = read_weights(path), network.state_dict()
    prefix = _prefix(stored, expected)
    stored = {
        key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)
    }
    missing, unexpected = (
        sorted(expected.keys() - stored.keys()),
        sorted(stored.keys() - expected.keys()),
    )
    wrong = [
        f"{key} {_shape(stored[key])} for {_shape(expected[key])}"
        for key in expected
        if key in stored and expected[key].shape != stored[key].shape
    ]
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    parts = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{' ...' if len(keys) > 3 else ''})"
        for what, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", wrong),
        )
        if keys
    ]
    if parts:
        hint = "; is it another architecture, or another number of classes (classes=)?"
        raise ModelError(
            f"The weights in {path!r} do not fit {type(network).__name__}: {'; '.join(parts)}{hint}"
        )
    network.load_state_dict(stored, strict=False)


def _prefix(stored: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    """What stands before the network's own keys in a checkpoint; keys without it belong to
    something else (a loss, say)."""
    fitting = Counter(
        key.removesuffix(name) for name in expected for key in _ending_with(stored, name)
    )
    return max(fitting, key=lambda prefix: (fitting[prefix], -len(prefix)), default="")


def _ending_with(stored: dict[str, Tensor], name: str) -> list[str]:
    tail = "." + name
    return [key for key in stored if key == name or key.endswith(tail)]


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
