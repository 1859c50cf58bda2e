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
import copy
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import convscope
from benchmarks.judges import (
    JUDGES,
    activation_of,
    appearance,
    lucent_transforms,
    photo_crops,
    readability,
    transfer,
)
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.photos.samples import SAMPLES, sample
from convscope.results.pictures import Panel, sheet, to_uint8

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
Row = dict[str, Any]
"""A target, and what the judges say of both pictures."""


def targets() -> list[str]:
    """24 units of 6 layers, and 12 classes."""
    return [f"{layer}:{unit}" for layer in LAYERS for unit in UNITS] + [
        f"classifier:{index}" for index in CLASSES
    ]


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
    """What was made in an earlier run, or what is made now."""
    path = folder / f"{name.replace(':', '_')}.npy" if folder else None
    if path is not None and path.exists():
        return torch.from_numpy(np.load(path))
    began = time.perf_counter()
    output = make()
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, output.numpy())
    return output


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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--preset", default="distill")
    options.add_argument("--steps", type=int, default=256)
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--most", type=int, default=36, help="only so many of the 36 targets")
    options.add_argument(
        "--cache", type=Path, help="a folder that keeps Lucent's pictures for the next run"
    )
    options.add_argument("--photos", type=Path, help="a folder of photos beside the sample photos")
    options.add_argument("--only-lucent", action="store_true", help="fill the cache and stop")
    options.add_argument("--out", type=Path, default=Path("docs/quality.json"))
    options.add_argument("--sheet", type=Path)
    options.add_argument("--threads", type=int, help="threads for both")
    arguments = options.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = convscope.load_model()
    # From all layers in turn, so that a part of the whole is a fair sample.
    units = [unit for first in range(4) for unit in targets()[first::4]][: arguments.most]
    key = f"{arguments.steps}-{arguments.size}-{arguments.seed}"
    options_of_both = (arguments.steps, arguments.size, arguments.seed)
    read = [unit for unit in units if is_read(unit)]

    def all_of_lucents(names: list[str], prefix: str = "", *, opposite: bool = False) -> Tensor:
        make = partial(lucents, opposite=opposite)
        return torch.cat(
            [
                kept(
                    arguments.cache,
                    f"lucent-{key}-{prefix}{unit}",
                    partial(make, model, unit, *options_of_both),
                )
                for unit in names
            ]
        )

    theirs = all_of_lucents(units)
    their_opposites = all_of_lucents(read, "opposite-", opposite=True)
    if arguments.only_lucent:
        return
    steps, size, seed = options_of_both
    ours, our_opposites = (
        torch.from_numpy(
            convscope.visualize(
                model, names, preset=arguments.preset, steps=steps, size=size, seed=seed
            )["image"]
        )
        for names in (units, [f"-1*{unit}" for unit in read])
    )
    crops = crops_of_photos(arguments.photos, size)
    rows: list[Row] = []
    for place, unit in enumerate(units):
        row: Row = {"unit": unit}
        for who, images, opposites in (
            ("Convscope", ours, our_opposites),
            ("Lucent", theirs, their_opposites),
        ):
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
    summary = summary_of(rows)
    about = (
        f"{len(units)} targets of the embedded network, {arguments.steps} steps of"
        f" `{arguments.preset}` and of"
        f" Lucent at {arguments.size} px, torch {torch.__version__}. Above 1: ours is higher."
    )
    data = {"about": about, "summary": summary, "rows": rows}
    write_whole(arguments.out, json.dumps(data, indent=1).encode())
    print(markdown(summary, about, arguments.preset))
    if arguments.sheet:
        draw(units, ours, theirs, rows, arguments.sheet)


def draw(units: list[str], ours: Tensor, theirs: Tensor, rows: list[Row], path: Path) -> None:
    """Pairs, Convscope's above Lucent's."""
    panels = []
    for first in range(0, len(units), 6):
        for images, name in ((ours, "Convscope"), (theirs, "Lucent")):
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
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet(panels, columns=6).convert("RGB").save(path, quality=82)


if __name__ == "__main__":
    main()
