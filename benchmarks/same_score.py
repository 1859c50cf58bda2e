"""Time until a picture has the score that torch-lucent's has after 256 steps.

    python -m benchmarks.same_score --cache FOLDER --out scores.json --sheet docs/same_score.jpg

24 units of six layers of the embedded network, 224 px. Lucent takes 256 steps as its users let it.
Convscope optimizes with its preset `quick`, in bfloat16 where the processor has it and --full is
not given, and is looked at
every few steps: it counts as there where both neutral judges (copies drawn by Lucent's own
transforms and by torchvision's RandomAffine, see `judges.py`) give it at least the score of
Lucent's picture. The number of steps is then multiplied by the seconds of a step, measured in
turns in this process; of Lucent's steps, alone and in a batch as large as ours, the one that is
cheaper for an image counts. Lucent's pictures take long; --cache keeps them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import convscope
from benchmarks._duel import Patience, duel
from benchmarks.judges import JUDGES, appearance
from benchmarks.speed_rows import ascent
from benchmarks.speed_rows._networks import network_of
from benchmarks.synthesis_quality import LAYERS, UNITS, draw, kept, lucents
from convscope.core.files import write_whole
from convscope.probe.bfloat16 import computes_bfloat16
from convscope.synthesis.settings import Settings

STEPS, SIZE, SEED = 256, 224, 0
EVERY = 8
NEUTRAL = ("Lucent's copies", "torchvision affine")
CUT = "Lucent's copies, cut"
"""A judge of the last picture alone: the same copies without Lucent's border."""


def main() -> None:
    """Scores, then seconds, then the ratio."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--cache", type=Path, help="a folder that keeps Lucent's pictures for the next run"
    )
    options.add_argument("--preset", default="quick")
    options.add_argument("--full", action="store_true", help="compute in 32 bits")
    options.add_argument(
        "--rounds", type=int, default=5, help="turns of the two contestants at each layer"
    )
    options.add_argument(
        "--threads", type=int, default=1, help="threads of torch, the same for both"
    )
    options.add_argument("--out", type=Path, default=Path("same_score.json"))
    options.add_argument("--sheet", type=Path)
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    model = convscope.load_model()
    half = not arguments.full and computes_bfloat16(model.device)
    rows: list[dict[str, Any]] = []
    pictures: list[tuple[Tensor, Tensor]] = []
    for layer in LAYERS:
        units = [f"{layer}:{unit}" for unit in UNITS]
        steps = Settings(arguments.preset, "visualize").steps
        marks = list(range(EVERY, steps + 1, EVERY))
        result = convscope.visualize(
            model,
            units,
            preset=arguments.preset,
            size=SIZE,
            seed=SEED,
            half=half,
            snapshots=marks,
        )
        for place, unit in enumerate(units):
            key = f"lucent-{STEPS}-{SIZE}-{SEED}-{unit}"
            theirs = kept(arguments.cache, key, partial(lucents, model, unit, STEPS, SIZE, SEED))
            wanted = {name: JUDGES[name](model, unit, theirs) for name in NEUTRAL}
            curves = {
                name: [
                    JUDGES[name](model, unit, torch.from_numpy(shot[place : place + 1]))
                    for shot in result["snapshot"]
                ]
                for name in NEUTRAL
            }
            there = next(
                (
                    mark
                    for index, mark in enumerate(marks)
                    if all(curves[name][index] >= wanted[name] for name in NEUTRAL)
                ),
                None,
            )
            ours = torch.from_numpy(result["image"][place : place + 1])
            at_the_end, lucents_cut = (JUDGES[CUT](model, unit, image) for image in (ours, theirs))
            rows.append(
                {
                    "unit": unit,
                    "lucent": wanted,
                    "curves": curves,
                    "ratio": min(curves[name][-1] / wanted[name] for name in NEUTRAL),
                    "cut_ratio": at_the_end / lucents_cut,
                    "steps": there,
                    "appearance": {"ours": appearance(ours), "lucent": appearance(theirs)},
                    **{
                        key: {"torchvision affine": value["torchvision affine"]}
                        for key, value in (
                            ("Convscope", {name: curve[-1] for name, curve in curves.items()}),
                            ("Lucent", wanted),
                        )
                    },
                }
            )
            pictures.append((ours, theirs))
            print(
                f"{unit}: {'as high after ' + str(there) + ' steps' if there else 'not as high'},"
                f" {rows[-1]['ratio']:.3f} at the end",
                flush=True,
            )
        contestants = {
            "ours": ascent.ours(model, layer, list(UNITS), 3, half=half, preset=arguments.preset),
            "Lucent": ascent.lucents(network_of("embedded"), layer, list(UNITS), 1),
            "Lucent, alone": ascent.lucents(network_of("embedded"), layer, [UNITS[0]], 1),
        }
        timed = duel(contestants, Patience(arguments.rounds, arguments.rounds))
        each = [
            min(batch / len(UNITS), alone) / (own / len(UNITS))
            for own, batch, alone in zip(
                timed.times["ours"],
                timed.times["Lucent"],
                timed.times["Lucent, alone"],
                strict=True,
            )
        ]
        for row in rows[-len(units) :]:
            row["cheaper_step"] = statistics.median(each)
            row["faster"] = row["cheaper_step"] * STEPS / row["steps"] if row["steps"] else None
        print(f"{layer}: a step of ours is {statistics.median(each):.2f} times cheaper", flush=True)
    data = {"summary": summary_of(rows), "half": half, "rows": rows}
    print(markdown(data, arguments.preset))
    write_whole(arguments.out, json.dumps(data, indent=2).encode())
    if arguments.sheet:
        ours, theirs = (torch.cat(part) for part in zip(*pictures, strict=True))
        draw([row["unit"] for row in rows], ours, theirs, rows, arguments.sheet)


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """In how many units ours is as high, how soon, and what its pictures look like there."""
    reached = [row for row in rows if row["faster"]]
    looks = [(row["appearance"]["ours"], row["appearance"]["lucent"]) for row in rows]
    return {
        "units": len(rows),
        "reached": len(reached),
        "faster": (
            math.exp(statistics.mean(math.log(row["faster"]) for row in reached))
            if reached
            else None
        ),
        "median_steps": statistics.median(row["steps"] for row in reached) if reached else None,
        "median_score_at_the_end": float(np.median([row["ratio"] for row in rows])),
        "median_cut_at_the_end": float(np.median([row["cut_ratio"] for row in rows])),
        "contrast_within_15_percent": sum(
            abs(ours["contrast"] / lucent["contrast"] - 1) <= 0.15 for ours, lucent in looks
        ),
        "no_more_saturated": sum(
            ours["saturated"] <= lucent["saturated"] for ours, lucent in looks
        ),
        "appearance": {
            who: {
                key: float(np.mean([row["appearance"][who][key] for row in rows]))
                for key in ("contrast", "saturated", "slope")
            }
            for who in ("ours", "lucent")
        },
    }


def markdown(data: dict[str, Any], preset: str) -> str:
    """The table of docs/pictures.md."""
    summary = summary_of(data["rows"])
    ours, lucents = summary["appearance"]["ours"], summary["appearance"]["lucent"]
    precision = "bfloat16" if data["half"] else "32 bits"
    faster = f"{summary['faster']:.1f}" if summary["faster"] else "never"
    cells = {
        f"units as high as Lucent's 256 steps by Lucent's copies and RandomAffine, {precision}": (
            f"{summary['reached']} of {summary['units']}"
        ),
        "steps until then, median": f"{summary['median_steps']}",
        "times sooner (geometric mean of those)": faster,
        "score at the end / Lucent's, the lower of both judges, median": (
            f"{summary['median_score_at_the_end']:.3f}"
        ),
        "the same, by Lucent's copies without their border": (
            f"{summary['median_cut_at_the_end']:.3f}"
        ),
        "contrast within 15 % of Lucent's": (
            f"{summary['contrast_within_15_percent']} of {summary['units']}"
        ),
        "no more saturated pixels than Lucent's": (
            f"{summary['no_more_saturated']} of {summary['units']}"
        ),
        "contrast, ours and Lucent's": f"{ours['contrast']:.3f}, {lucents['contrast']:.3f}",
        "saturated, ours and Lucent's": f"{ours['saturated']:.4f}, {lucents['saturated']:.4f}",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in cells.items())
    return f"## `{preset}` until the score of Lucent's\n\n| measure | value |\n|---|---|\n{rows}\n"


if __name__ == "__main__":
    main()
