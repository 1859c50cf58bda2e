"""Weights from local files, as data only, and random weights that are always the same."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import ModelError

PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
"""What DataParallel, torch.compile and Lightning put before every key."""


ZERO_HEAD_STD = 0.02
"""Spread of a matrix that would start at zero: what vision transformers start their other matrices with."""


def random_weights(build: Callable[[], nn.Module]) -> nn.Module:
    """A network with random weights from seed 0; the caller's random state is left alone.

    A weight matrix that starts at zero (torchvision's ViT head) is drawn as well: every score would be the same number.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build()
        for weight in network.parameters():
            if weight.ndim > 1 and weight.numel() > 0 and not weight.any():
                nn.init.normal_(weight, std=ZERO_HEAD_STD)
        return network


def read_weights(path: str) -> dict[str, Tensor]:
    """A state dict from a file; nothing in it is ever executed.

    Raises:
        ModelError: the file is missing, truncated, no state dict, or a pickle that would run code.
    """
    if not Path(path).is_file():
        raise ModelError(f"There is no weights file {path!r}.")
    try:
        if path.endswith(".safetensors"):
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path!r} is not plain weights (it holds objects that would run code, or is damaged), so it is refused; "
            "save the network's state_dict() or a .safetensors file."
        ) from error
    except Exception as error:
        raise ModelError(f"{path!r} cannot be read as weights ({type(error).__name__}); it is damaged or of another format.") from error
    for key in ("state_dict", "model_state_dict", "model", "ema_state_dict"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{path!r} holds no state dict (names and tensors).")
    return found


def load_weights(network: nn.Module, path: str) -> None:
    """Put the weights of a file into a network; wrappers' key prefixes are taken off.

    Raises:
        ModelError: keys are missing, left over, or of another shape; the message names them.
    """
    found = read_weights(path)
    own = network.state_dict()
    while not own.keys() & found.keys():
        prefix = next((prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in found)), None)
        if prefix is None:
            break
        found = {key.removeprefix(prefix): value for key, value in found.items()}
    missing, unexpected = sorted(own.keys() - found.keys()), sorted(found.keys() - own.keys())
    wrong = sorted(key for key in own.keys() & found.keys() if own[key].shape != found[key].shape)
    parts = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{' ...' if len(keys) > 3 else ''})"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
        if keys
    ]
    if parts:
        raise ModelError(f"The weights in {path!r} do not fit {type(network).__name__}: {'; '.join(parts)}.")
    network.load_state_dict(found)
