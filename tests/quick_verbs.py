"""One quick call of every verb, on a small network and small photos."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer

import convscope
from convscope.networks.model import Model
from convscope.results.result import Result
from tests.small_networks import Trunk

SIDE = 32
LAYER = "second"

Call = Callable[[Model, Path], Result]


def small_network() -> Trunk:
    """A classifier with random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Trunk()


def small_model(network: Trunk | None = None) -> Model:
    """That network for photos of 32 x 32."""
    return convscope.load_model(network or small_network(), size=SIDE, mean=0.5, std=0.25)


def photo(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """A photo of colored noise (h w 3, uint8)."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


@cache
def _transformer() -> Model:
    """A vision transformer with random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = VisionTransformer(
            img_size=SIDE, patch_size=8, embed_dim=12, depth=2, num_heads=2, num_classes=4
        )
    return convscope.load_model(network, size=SIDE)


def _audited(model: Model, folder: Path) -> Result:
    photos, labels = _folder(folder), folder / "labels.csv"
    labels.write_text("\n".join(["photo,label", *(f"{seed}.png,{seed}" for seed in range(4))]))
    out = str(folder / "audit.html")
    return convscope.audit(model, photos, out, labels=str(labels), layer=LAYER, unit_steps=0)


def _explained(model: Model, folder: Path) -> Result:
    return convscope.explain(model, photo(), layer=LAYER, target=1)


def _folder(folder: Path) -> str:
    from PIL import Image

    photos = folder / "photos"
    photos.mkdir(exist_ok=True)
    for seed in range(4):
        Image.fromarray(photo(seed)).save(photos / f"{seed}.png")
    rows = [f"{seed}.png,{seed}" for seed in range(4)]
    (photos / "labels.csv").write_text("\n".join(["file,index", *rows]))
    return str(photos)


def _rerun(model: Model, folder: Path) -> Result:
    path = folder / "made.png"
    if not path.exists():
        convscope.predict(None, "sample:chelsea", top=2).save(path)
    return convscope.rerun(path)


SYNTHESIS: dict[str, Call] = {
    "visualize": lambda model, folder: convscope.visualize(model, "second:1", steps=3, size=24),
    "class_image": lambda model, folder: convscope.class_image(model, 1, steps=3, size=24),
    "caricature": lambda model, folder: convscope.caricature(model, photo(), layer=LAYER, steps=3),
    "invert": lambda model, folder: convscope.invert(model, photo(), layer=[LAYER], steps=3),
    "dream": lambda model, folder: convscope.dream(
        model, photo(), layer=LAYER, steps=3, octaves=2, size=40
    ),
    "fool": lambda model, folder: convscope.fool(model, photo(), target=2, steps=3),
    "activation_grid": lambda model, folder: convscope.activation_grid(
        model, photo(), layer=LAYER, cells=2, size=16, steps=3
    ),
    "semantic_dictionary": lambda model, folder: convscope.semantic_dictionary(
        model, photo(), layer=LAYER, cells=2, size=16, steps=3
    ),
}
"""Verbs that optimize a picture, for three steps."""

VERBS: dict[str, Call] = {
    "predict": lambda model, folder: convscope.predict(model, photo(), top=2),
    "layers": lambda model, folder: convscope.layers(model),
    "activations": lambda model, folder: convscope.activations(model, photo(), layers=[LAYER]),
    "overview": lambda model, folder: convscope.overview(model, photo(), layers=[LAYER]),
    "explain": _explained,
    "place": lambda model, folder: convscope.place(model, photo(), 9, 9, layers=[LAYER]),
    "concepts": lambda model, folder: convscope.concepts(
        model, [photo(0), photo(1)], layer=LAYER, count=2
    ),
    "features": lambda model, folder: convscope.features(model, photo(), layer=LAYER),
    "attention": lambda model, folder: convscope.attention(_transformer(), photo()),
    "audit": _audited,
    "intervene": lambda model, folder: convscope.intervene(model, photo(), "second:1"),
    "evaluate": lambda model, folder: convscope.evaluate(
        model, photo(), _explained(model, folder), metric="insertion"
    ),
    "benchmark_attribution": lambda model, folder: convscope.benchmark_attribution(
        model, _folder(folder), methods="saliency", metric="grid_pointing", grids=2
    ),
    "rerun": _rerun,
    **SYNTHESIS,
}
"""Every verb that gives a result."""


def answer_of(result: Result) -> dict[str, Any]:
    """What a result says, without how long it took."""
    is_timed = any("seconds" in row for row in result.table)
    rows = [
        {name: value for name, value in row.items() if name != "seconds"} for row in result.table
    ]
    return {
        "arrays": {name: array.copy() for name, array in result.arrays.items()},
        "table": rows,
        "picture": result.picture().tobytes() if result.arrays and not is_timed else None,
    }
