"""What each regularizer does at the weights 0.1, 1 and 10, on three units of the embedded network.

    python -m benchmarks.regularizers --out docs/regularizers.md --sheet docs/regularizers.jpg

`left` is the share of what is penalized that stays, compared with the same ascent without
regularizer, and `score` the share of that ascent's score (mean over the last eight steps), both as
the mean over the units. A regularizer's scale is chosen so that 1 leaves about half. The sheet
shows the second unit.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import convscope
from benchmarks._page import write_measured
from convscope.networks.model import Model
from convscope.results.arrays import Array, to_numpy
from convscope.results.pictures import Panel, sheet, to_uint8
from convscope.results.result import Result
from convscope.synthesis import regularizers

UNITS = ("blocks.2:7", "blocks.3:11", "blocks.4:20")
SHOWN = 1
WEIGHTS = (0.1, 1.0, 10.0)
STEADY = 8
"""The last steps, over which a score is averaged."""


def penalized(model: Model, name: str, image: Array) -> Array:
    """The regularizer's value of each image."""
    pixels = torch.from_numpy(image)
    if regularizers.registry.traits(name).network_units:
        pixels = model.preprocess(pixels)
    penalty: Tensor = regularizers.registry.get(name)(pixels)
    return to_numpy(penalty)


def measured(model: Model, name: str, steps: int, size: int) -> tuple[list[str], list[Panel]]:
    """A row of the table and a row of pictures."""
    traits = regularizers.registry.traits(name)
    options: dict[str, Any] = {"steps": steps, "size": size, "batch": len(UNITS)}
    options["preset"] = "transparent" if traits.alpha else "distill"

    def climbed(weight: float) -> Result:
        text = f"{weight}*{name}" if weight else "none"
        return convscope.visualize(model, list(UNITS), regularizers=text, **options)

    free = climbed(0)
    before, high = penalized(model, name, free["image"]), _score(free)
    cells = [f"`{name}`", f"{traits.scale:g}"]
    panels = [Panel(_picture(free), f"{name}: none")]
    for weight in WEIGHTS:
        result = climbed(weight)
        left = float((penalized(model, name, result["image"]) / before).mean())
        score = float((_score(result) / high).mean())
        cells.append(f"{left:.0%}, {score:.0%}")
        panels.append(Panel(_picture(result), f"{weight:g}", f"{left:.0%} left, score {score:.0%}"))
    print(*cells, flush=True)
    return cells, panels


def _score(result: Result) -> Array:
    return np.asarray(result["score"][:, -STEADY:].mean(1))


def _picture(result: Result) -> Image.Image:
    planes = result["image"][SHOWN]
    if len(planes) > 3:  # on white
        planes = planes[:3] * planes[3:] + (1 - planes[3:])
    return Image.fromarray(to_uint8(planes.transpose(1, 2, 0)))


def main() -> None:
    """Measure all regularizers whose weight is scaled."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--names", default=None, help="names with commas; all by default")
    options.add_argument("--steps", type=int, default=64)
    options.add_argument("--size", type=int, default=96)
    options.add_argument("--out", type=Path, default=None)
    options.add_argument("--sheet", type=Path, default=None)
    arguments = options.parse_args()
    model = convscope.load_model()
    names = [
        name
        for name in regularizers.registry.names()
        if not regularizers.registry.traits(name).network_units
    ]
    rows, panels = [], []
    for name in arguments.names.split(",") if arguments.names else names:
        row, pictures = measured(model, name, arguments.steps, arguments.size)
        rows.append(row)
        panels += pictures
    if arguments.out:
        text = markdown(rows, arguments.steps, arguments.size)
        write_measured(arguments.out, text, "benchmarks.regularizers")
    if arguments.sheet:
        page = sheet(panels, columns=2 * (1 + len(WEIGHTS)), heading=UNITS[SHOWN])
        page.convert("RGB").save(arguments.sheet, quality=86)


def markdown(rows: list[list[str]], steps: int, size: int) -> str:
    """The page with the table."""
    head = ["regularizer", "scale", *(f"at {weight:g}" for weight in WEIGHTS)]
    lines = [
        "# Regularizers, weak and strong",
        "",
        'A regularizer is written with its weight: `--regularizers "0.5*total_variation border"`.'
        " Each is scaled so that 1 is a middle: about half of what it penalizes stays.",
        "",
        "![One unit at the weights 0.1, 1 and 10](regularizers.jpg)",
        "",
        f"`python -m benchmarks.regularizers` writes this page: {steps} steps at {size} px from the"
        f" preset `distill` (`transparent` for the opacity), units {', '.join(UNITS)}. The first"
        " number is the share of what is penalized that stays, the second the share of the score,"
        " both beside the same ascent without it.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "`sum_of_squares` has no scale: its weight is the published one (the option `l2`).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
