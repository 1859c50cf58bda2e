"""Feature visualization beside torch-lucent, by judges that neither was optimized against.

    python -m benchmarks.synthesis_quality --out docs/quality.json --sheet docs/side_by_side.jpg
    python -m benchmarks.synthesis_quality --preset padam --out docs/quality_padam.json

Both optimize the same network for the same steps at the same size, Lucent with Adam 0.05 and
Distill's transforms, and so does our preset `distill`: 24 units of six layers and 12 classes. Every
picture is scored by each of the judges in `judges.py`. How readable pictures are is judged for two
units of each layer, from the picture of the unit and that of its opposite (the negative unit), on
the crops of photos that excite it most and least. `python -m benchmarks.pages` fills
docs/pictures.md from the JSON. Needs torch-lucent 0.1.8 with kornia 0.4.1.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import convscope
from benchmarks._peers import require_peers
from benchmarks._sheets import write_sheet
from benchmarks.judges import (
    JUDGES,
    activation_of,
    appearance,
    photo_crops,
    readability,
    transfer,
)
from benchmarks.lucent_pictures import kept as kept
from benchmarks.lucent_pictures import lucents as lucents
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.photos.samples import SAMPLES, sample
from convscope.results.pictures import Panel, to_uint8

LAYERS = ("blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6")
UNITS = (5, 7, 11, 20)
CLASSES = (9, 130, 207, 285, 340, 386, 417, 555, 609, 817, 949, 967)
READABLE_UNITS = UNITS[:2]
"""Units of each layer whose pictures are also judged for how readable they are."""
CROPS, ENDS = 400, 20
"""Crops of photos, and how many of those that excite a unit most and least are told apart."""
TITLES = {
    "lite1": "log-probability by Lite1",
    "lite2": "log-probability by Lite2",
    "readability": "readability by Lite2 (chance is 0.5)",
}
STEPS = 256
FULL, PART = Path("docs/quality.json"), Path("build/quick/quality.json")
"""Where the data lie; those of a part of the targets beside the documentation."""
Row = dict[str, Any]
"""A target, and what the judges say of both pictures."""


def targets() -> list[str]:
    """24 units of 6 layers, and 12 classes."""
    return [f"{layer}:{unit}" for layer in LAYERS for unit in UNITS] + [
        f"classifier:{index}" for index in CLASSES
    ]


def score(model: Model, unit: str, image: Tensor) -> dict[str, float]:
    """What every judge says of a picture, and what it looks like."""
    scores = {name: judge(model, unit, image) for name, judge in JUDGES.items()}
    if unit.startswith("classifier:"):
        scores |= transfer(int(unit.partition(":")[2]), image)
    return scores | appearance(image)


def crops_of_photos(folder: Path | None, side: int) -> Tensor:
    """Crops of a folder's photos and of the sample photos (n 3 side side in [0, 1])."""
    paths = sorted(folder.glob("*.png")) if folder else []
    photos = [Image.open(path).convert("RGB") for path in paths]
    arrays = [np.asarray(photo) for photo in photos] + [sample(name) for name in SAMPLES]
    tensors = [torch.from_numpy(np.array(array)).permute(2, 0, 1)[None] / 255 for array in arrays]
    return photo_crops(tensors, side, CROPS)


def readable(
    model: Model, unit: str, pictures: tuple[Tensor, Tensor], crops: Tensor
) -> dict[str, float]:
    """How well another network tells, from a unit's picture and that of its opposite, the crops
    that excite it most from those that excite it least."""
    order = torch.cat([activation_of(model, unit, part) for part in crops.split(50)]).argsort()
    return {"readability": readability(*pictures, crops[order[-ENDS:]], crops[order[:ENDS]])}


def summary_of(rows: list[Row]) -> dict[str, dict[str, float]]:
    """For each judge: in how many targets ours is at least as high, and the median ratio; for a
    class's log-probability and the appearance, the means of both."""
    summary = {}
    for name in JUDGES:
        ratios = [row["Convscope"][name] / row["Lucent"][name] for row in rows]
        summary[name] = {
            "targets": len(ratios),
            "at least as high": sum(ratio >= 1 for ratio in ratios),
            "median ratio": float(np.median(ratios)),
        }
    for name in ("lite1", "lite2", "readability", "contrast", "saturated", "slope"):
        pairs = [
            (row["Convscope"][name], row["Lucent"][name])
            for row in rows
            if name in row["Convscope"]
        ]
        if pairs:
            ours, lucents = np.mean(pairs, axis=0)
            summary[name] = {"targets": len(pairs), "ours": float(ours), "Lucent": float(lucents)}
    return summary


def markdown(summary: dict[str, dict[str, float]], about: str, preset: str) -> str:
    """The tables of the documentation."""
    lines = [
        f"## `{preset}` beside Lucent",
        "",
        about,
        "",
        "| judge | targets | ours at least as high | median of ours / Lucent's |",
        "|---|---|---|---|",
    ]
    for name, row in summary.items():
        if "median ratio" in row:
            won, median = row["at least as high"], row["median ratio"]
            lines.append(f"| {name} | {row['targets']} | {won} | {median:.3f} |")
    lines += ["", "| measure | targets | ours | Lucent's |", "|---|---|---|---|"]
    for name, row in summary.items():
        if "ours" in row:
            title = TITLES.get(name, name)
            lines.append(
                f"| {title} | {row['targets']} | {row['ours']:.3f} | {row['Lucent']:.3f} |"
            )
    return "\n".join(lines) + "\n"


def is_read(unit: str) -> bool:
    """Whether it is among those whose pictures are judged for how readable they are."""
    layer, _, index = unit.partition(":")
    return layer in LAYERS and int(index) in READABLE_UNITS


def options() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="distill")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--most", type=int, default=len(targets()), help="only so many of the 36 targets"
    )
    parser.add_argument(
        "--cache", type=Path, help="a folder that keeps Lucent's pictures for the next run"
    )
    parser.add_argument("--photos", type=Path, help="a folder of photos beside the sample photos")
    parser.add_argument("--only-lucent", action="store_true", help="fill the cache and stop")
    parser.add_argument("--out", type=Path, help=f"{FULL} for all targets, {PART} for less")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--threads", type=int, help="threads for both")
    return parser


def lucents_of(
    model: Model, names: list[str], arguments: argparse.Namespace, *, opposite: bool = False
) -> Tensor:
    """Lucent's pictures of units, or of their opposites, from the cache where they are there."""
    steps, size, seed = arguments.steps, arguments.size, arguments.seed
    key = f"lucent-{steps}-{size}-{seed}-{'opposite-' if opposite else ''}"
    make = partial(lucents, model, steps=steps, size=size, seed=seed, opposite=opposite)
    return torch.cat([kept(arguments.cache, f"{key}{unit}", partial(make, unit)) for unit in names])


def ours_of(model: Model, names: list[str], arguments: argparse.Namespace) -> Tensor:
    """Our pictures of the same."""
    result = convscope.visualize(
        model,
        names,
        preset=arguments.preset,
        steps=arguments.steps,
        size=arguments.size,
        seed=arguments.seed,
    )
    return torch.from_numpy(result["image"])


def judged(
    model: Model, units: list[str], pictures: dict[str, tuple[Tensor, Tensor]], crops: Tensor
) -> list[Row]:
    """What the judges say of everybody's pictures of the units, and of the opposites of those that
    are read."""
    read = [unit for unit in units if is_read(unit)]
    rows: list[Row] = []
    for place, unit in enumerate(units):
        row: Row = {"unit": unit}
        for who, (images, opposites) in pictures.items():
            image = images[place : place + 1]
            row[who] = score(model, unit, image)
            if unit in read:
                index = read.index(unit)
                pair = (image, opposites[index : index + 1])
                row[who] |= readable(model, unit, pair, crops)
        rows.append(row)
        print(
            unit,
            *(f"{name} {row['Convscope'][name] / row['Lucent'][name]:.3f}" for name in JUDGES),
            flush=True,
        )
    return rows


def main() -> None:
    """Make the pictures, judge them, and write the data."""
    parser = options()
    arguments = parser.parse_args()
    is_full = arguments.most >= len(targets()) and arguments.steps >= STEPS
    out: Path = arguments.out or (FULL if is_full else PART)
    if out.resolve().parent == FULL.resolve().parent and not is_full:
        parser.error(f"{out} holds all targets after {STEPS} steps; give another --out for less")
    require_peers("synthesis_quality")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = convscope.load_model()
    # From all layers in turn, so that a part of the whole is a fair sample.
    units = [unit for first in range(4) for unit in targets()[first::4]][: arguments.most]
    read = [unit for unit in units if is_read(unit)]
    peer = (
        lucents_of(model, units, arguments),
        lucents_of(model, read, arguments, opposite=True),
    )
    if arguments.only_lucent:
        return
    opposites = [f"-1*{unit}" for unit in read]
    ours = ours_of(model, units, arguments), ours_of(model, opposites, arguments)
    crops = crops_of_photos(arguments.photos, arguments.size)
    rows = judged(model, units, {"Convscope": ours, "Lucent": peer}, crops)
    summary = summary_of(rows)
    about = (
        f"{len(units)} targets of the embedded network, {arguments.steps} steps of"
        f" `{arguments.preset}` and of"
        f" Lucent at {arguments.size} px, torch {torch.__version__}. Above 1: ours is higher."
    )
    data = {"about": about, "summary": summary, "rows": rows}
    write_whole(out, json.dumps(data, indent=1).encode())
    print(markdown(summary, about, arguments.preset))
    if arguments.sheet:
        draw(units, ours[0], peer[0], rows, arguments.sheet)


def draw(units: list[str], ours: Tensor, lucents: Tensor, rows: list[Row], path: Path) -> None:
    """Pairs, Convscope's above Lucent's."""
    panels = []
    for first in range(0, len(units), 6):
        for images, name in ((ours, "Convscope"), (lucents, "Lucent")):
            for place in range(first, min(first + 6, len(units))):
                pixels = Image.fromarray(to_uint8(images[place].permute(1, 2, 0).numpy())).resize(
                    (160, 160), Image.Resampling.LANCZOS
                )
                panels.append(
                    Panel(
                        pixels,
                        units[place],
                        f"{name}, {rows[place][name]['torchvision affine']:.2f}",
                    )
                )
    write_sheet(path, panels, columns=6)


if __name__ == "__main__":
    main()
