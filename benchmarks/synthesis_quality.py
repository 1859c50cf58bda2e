"""Feature visualization beside torch-lucent: the score that each picture reaches, on transformed
copies it has not seen.

    python benchmarks/synthesis_quality.py --out scores.json --sheet docs/side_by_side.jpg

Both climb the same network for the same steps with Adam 0.05, at the same size, with the same
transforms (Distill's). A picture's score is the mean over 16 fresh transformed copies from a
generator of their own, with the transforms as Convscope draws them (`ours`) and as Lucent draws
them (`lucents`). Needs torch-lucent 0.1.8 with kornia 0.4.1.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import convscope
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.pictures import Panel, sheet, to_uint8
from convscope.synthesis.parse import parse
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from convscope.synthesis.step import OptimizationStep

LAYERS = ("blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6")
UNITS = (5, 7, 11, 20)
CLASSES = (9, 130, 207, 285, 340, 386, 417, 555, 609, 817, 949, 967)
COPIES = 16


def targets() -> list[str]:
    """24 units of 6 layers, and 12 classes."""
    return [f"{layer}:{unit}" for layer in LAYERS for unit in UNITS] + [
        f"classifier:{index}" for index in CLASSES
    ]


def lucents_transforms(transform: Any) -> list[Any]:
    """Distill's transforms, as Lucent has them."""
    scales = [1, 0.975, 1.025, 0.95, 1.05]
    return [
        transform.pad(16, mode="constant", constant_value=0.5),
        transform.jitter(16),
        transform.random_scale(scales),
        transform.random_rotate(list(range(-5, 6))),
        transform.jitter(8),
    ]


def lucents(model: Model, unit: str, steps: int, size: int, seed: int) -> Tensor:
    """Lucent's picture of one unit, made as its users make it; what does not change the picture is
    left out to save time."""
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
    made = render.render_vis(
        network,
        wanted,
        lambda: param.image(size),
        transforms=[*lucents_transforms(transform), model.preprocessing.normalize],
        thresholds=(steps,),
        preprocess=False,
        progress=False,
        show_image=False,
    )
    return torch.from_numpy(made[-1].transpose(0, 3, 1, 2).copy())


def stop(module: Any, given: Any) -> None:
    """Ends a run of the network."""
    raise RuntimeError("far enough")


def kept(folder: Path | None, name: str, make: Callable[[], Tensor]) -> Tensor:
    """What was made in an earlier run, or what is made now."""
    path = folder / f"{name.replace(':', '_')}.npy" if folder else None
    if path is not None and path.exists():
        return torch.from_numpy(np.load(path))
    began = time.perf_counter()
    made = make()
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, made.numpy())
    return made


def score(model: Model, unit: str, image: Tensor, transforms: Any) -> float:
    """Mean over fresh transformed copies by Convscope's transforms."""
    with Probe(model) as probe, torch.no_grad():
        wanted = parse(unit, probe)
        step = OptimizationStep(
            probe, [wanted] * COPIES, RandomStreams(range(10_000, 10_000 + COPIES)), transforms
        )
        return float(step(image.expand(COPIES, -1, -1, -1))[0].mean())


def lucents_score(model: Model, unit: str, image: Tensor) -> float:
    """Mean over fresh transformed copies by Lucent's transforms."""
    from lucent.optvis import transform

    np.random.seed(10_000)
    with Probe(model) as probe, torch.no_grad():
        wanted = parse(unit, probe)
        found = []
        for _ in range(COPIES):
            seen = image
            for step in lucents_transforms(transform):
                seen = step(seen)
            found.append(float(OptimizationStep(probe, [wanted], RandomStreams([0]))(seen)[0]))
    return float(np.mean(found))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=256)
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--most", type=int, default=36, help="only so many of the 36 targets")
    options.add_argument(
        "--cache", type=Path, help="a folder that keeps Lucent's pictures for the next run"
    )
    options.add_argument("--only-lucent", action="store_true", help="fill the cache and stop")
    options.add_argument("--out", type=Path, default=Path("synthesis_quality.json"))
    options.add_argument("--sheet", type=Path)
    options.add_argument("--threads", type=int, help="threads for both")
    given = options.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    model = convscope.load_model()
    # From all layers in turn, so that a part of the whole is a fair sample.
    units = [unit for first in range(4) for unit in targets()[first::4]][: given.most]
    key = f"{given.steps}-{given.size}-{given.seed}"
    theirs = torch.cat(
        [
            kept(
                given.cache,
                f"lucent-{key}-{unit}",
                lambda unit=unit: lucents(model, unit, given.steps, given.size, given.seed),
            )
            for unit in units
        ]
    )
    if given.only_lucent:
        return
    ours = torch.from_numpy(
        convscope.visualize(
            model, units, preset="distill", steps=given.steps, size=given.size, seed=given.seed
        )["image"]
    )
    transforms = Settings("distill", "visualize").config.transforms
    rows = []
    for place, unit in enumerate(units):
        pair = [image[place : place + 1] for image in (ours, theirs)]
        found = [score(model, unit, image, transforms) for image in pair]
        other = [lucents_score(model, unit, image) for image in pair]
        rows.append(
            {
                "unit": unit,
                "ours": found[0],
                "lucent": found[1],
                "ours_by_lucents": other[0],
                "lucent_by_lucents": other[1],
            }
        )
        print(rows[-1], flush=True)
    summary = {
        "targets": len(rows),
        "won": sum(row["ours"] >= row["lucent"] for row in rows) / len(rows),
        "won_by_lucents_transforms": (
            sum(row["ours_by_lucents"] >= row["lucent_by_lucents"] for row in rows) / len(rows)
        ),
        "median_ratio": float(np.median([row["ours"] / row["lucent"] for row in rows])),
    }
    print(summary)
    write_whole(
        given.out,
        json.dumps(
            {"summary": summary, "rows": rows, "steps": given.steps, "size": given.size}, indent=2
        ).encode(),
    )
    if given.sheet:
        draw(units, ours, theirs, rows, given.sheet)


def draw(
    units: list[str], ours: Tensor, theirs: Tensor, rows: list[dict[str, Any]], path: Path
) -> None:
    """Pairs, Convscope's above Lucent's."""
    panels = []
    for first in range(0, len(units), 6):
        for images, name, key in ((ours, "Convscope", "ours"), (theirs, "Lucent", "lucent")):
            for place in range(first, min(first + 6, len(units))):
                pixels = Image.fromarray(to_uint8(images[place].permute(1, 2, 0).numpy())).resize(
                    (160, 160), Image.Resampling.LANCZOS
                )
                panels.append(Panel(pixels, units[place], f"{name}, {rows[place][key]:.2f}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet(panels, columns=6).convert("RGB").save(path, quality=82)


if __name__ == "__main__":
    main()
