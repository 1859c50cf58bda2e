"""How fast the pass of an audit that needs only forwards is, and how much memory it takes.

    python -m benchmarks.audit_rate rate      beside bare forwards of the embedded network
    python -m benchmarks.audit_rate memory    of 2,000, 10,000 and 50,000 small photos

Both go through the public verb, with one photo explained. The rate is that of further photos: of
the difference between audits of many and of few. It is measured in CPU time, alternating with
forwards in one process, so that what else runs on the machine matters little; the audit's includes
reading and resizing the photos, the forwards' does not. The limit is the forward of the prepared
copy, which the audit runs; that of the network as it is stands beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import convscope
from benchmarks.audit import keep
from benchmarks.planted_photos import photos, write
from convscope.networks.model import Model
from convscope.probe.inference_copy import inference_copy

LABELS = ("Egyptian cat", "espresso")
SMALL_SIDE = 32
COUNTS = (2_000, 10_000, 50_000)


def audit(model: Model, folder: Path, labels: list[str] | None = None) -> None:
    """One audit, with one photo explained; what it wrote is removed."""
    with tempfile.TemporaryDirectory() as scratch:
        out = str(Path(scratch) / "audit.html")
        convscope.audit(
            model, str(folder), out=out, labels=labels, max_explained=1, worst=1, unit_steps=0
        )


def seconds(work: Callable[[], None]) -> float:
    """CPU time of some work, in all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def run_rate(few: int, many: int, repeats: int) -> None:
    """Photos a second of CPU time: the bare forward's, and the audit's."""
    model = convscope.load_model()
    image = model.preprocess(torch.rand(32, 3, *model.size))
    prepared = inference_copy(model).network
    # In the layout that verbs give the prepared network.
    works = {
        "forward": partial(copy.deepcopy(model.network).eval(), image),
        "prepared": partial(prepared, image.contiguous(memory_format=torch.channels_last)),
    }

    def bare(forward: Callable[[], Tensor]) -> None:
        with torch.inference_mode():
            for _ in range((many - few) // 32):
                forward()

    ratios: list[float] = []
    rates: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in (few, many):
            write(Path(scratch) / str(count), photos(count, side=256, seed=0))

        def audit_of(count: int) -> None:
            labels = [LABELS[number % 2] for number in range(count)]
            audit(model, Path(scratch) / str(count) / "photos", labels)

        audit_of(few)
        for _ in range(repeats):
            cpu_seconds = {name: seconds(partial(bare, forward)) for name, forward in works.items()}
            short, long = (seconds(partial(audit_of, count)) for count in (few, many))
            cpu_seconds["audit"] = long - short
            ratios.append(cpu_seconds["prepared"] / cpu_seconds["audit"])
            rates.append(
                {name: round((many - few) / time, 1) for name, time in cpu_seconds.items()}
            )
            print(rates[-1], f"{ratios[-1]:.2f}", flush=True)
    middle = int(np.argsort(ratios)[len(ratios) // 2])
    keep(
        {
            "rate": {
                "photos": many - few,
                "repeats": repeats,
                **rates[middle],
                "ratio": round(ratios[middle], 2),
                "load": round(os.getloadavg()[0], 1),
            }
        }
    )


def small_model() -> Model:
    """A network that takes less time than reading does."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 2),
    )
    return convscope.load_model(network.eval(), size=SMALL_SIDE, labels=["even", "odd"])


def write_small(folder: Path, first: int, last: int) -> None:
    """Small JPEGs of noise, in two classes."""
    generator = np.random.default_rng(first)
    for number in range(first, last):
        path = folder / ("odd" if number % 2 else "even") / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (SMALL_SIDE, SMALL_SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, quality=60)


def run_memory(counts: list[int]) -> None:
    """The largest resident memory of an audit, each in a process of its own."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, written = Path(scratch) / "photos", 0
        for count in counts:
            write_small(folder, written, count)
            written = count
            started = time.perf_counter()
            command = [sys.executable, "-m", "benchmarks.audit_rate", "child"]
            output = subprocess.run(
                [*command, "--folder", str(folder)], check=True, capture_output=True, text=True
            )
            rows.append(
                {
                    "photos": count,
                    "mebibytes": int(output.stdout.split()[-1]),
                    "seconds": round(time.perf_counter() - started),
                }
            )
            print(rows[-1], flush=True)
    keep({"memory": rows})


def markdown(data: dict[str, Any]) -> str:
    """The sections of docs/audit.md."""
    parts = []
    if "rate" in data:
        rate = data["rate"]
        parts += [
            "## Rate",
            "",
            "`python -m benchmarks.audit_rate rate`: the pass that needs only forwards, through the"
            f" public verb, on {rate['photos']} further photos of 256 pixels, beside forwards of"
            " the embedded network on as many images in memory. In CPU time, which counts the"
            " reading and resizing of the audit's photos, the middle of"
            f" {rate['repeats']} alternating runs; the machine's load was {rate['load']:g}. The"
            " limit is the prepared network, which the audit runs (batch norms folded into"
            " convolutions, no gradients); the network as it is takes longer than the audit.",
            "",
            "| photos a second of CPU time | |",
            "|---|---:|",
            f"| the network as it is | {rate['forward']} |",
            f"| the prepared network (limit) | {rate['prepared']} |",
            f"| audit | {rate['audit']} |",
            f"| audit / limit | {rate['ratio']} |",
            "",
        ]
    if "memory" in data:
        parts += [
            "## Memory",
            "",
            "`python -m benchmarks.audit_rate memory`: the largest resident memory of a whole"
            " audit of small JPEGs by a small network, each in a process of its own.",
            "",
            "| photos | MiB |",
            "|---:|---:|",
            *[f"| {row['photos']:,} | {row['mebibytes']} |" for row in data["memory"]],
            "",
        ]
    return "\n".join(parts)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["rate", "memory", "child"])
    parser.add_argument("--few", type=int, default=64)
    parser.add_argument("--many", type=int, default=576)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "rate":
        run_rate(arguments.few, arguments.many, arguments.repeats)
    elif arguments.what == "memory":
        run_memory(list(arguments.counts))
    else:
        with contextlib.redirect_stdout(sys.stderr):
            audit(small_model(), arguments.folder)
        # Linux gives KiB.
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    main()
