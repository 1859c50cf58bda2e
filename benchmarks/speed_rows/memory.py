"""Peak memory, each number from a process of its own: by image size, and that it does not grow with
steps or units."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks._duel import Row, Setting

CODE = """
import sys, torch
torch.set_num_threads(1)
import convscope
def highest():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
unit, half = sys.argv[1], sys.argv[5] == "half"
count, steps, size = map(int, sys.argv[2:5])
model = convscope.load_model()
model.identity
before = highest()
units = [f"{unit}:{place}" for place in range(count)]
convscope.visualize(model, units, steps=steps, size=size, batch=4, half=half)
print(before, highest())
"""
"""In KiB. Not `ru_maxrss`: a process inherits that from the one that started it."""

SIZES = (224, 512, 1024)
SAME = 1.10
"""How much more a run of four times the length may take."""


def peak(count: int, steps: int, size: int) -> tuple[float, float]:
    """MiB with the network loaded, and at the highest."""
    entries = [sys.executable, "-c", CODE, "blocks.3", str(count), str(steps), str(size), "full"]
    done = subprocess.run(
        entries,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    before, after = (int(word) / 1024 for word in done.stdout.split())
    return before, after


def run(setting: Setting) -> Iterator[Row]:
    """MiB instead of seconds."""
    if not sys.platform.startswith("linux"):
        yield Row("memory", "peak", "embedded", "", missing="measured on Linux only")
        return
    for size in SIZES:
        before, after = peak(1, 3, size)
        row = Row(
            "memory",
            f"visualize, {size} px",
            "embedded",
            "",
            "MiB at the highest",
            after,
            limit=before,
            rounds=1,
        )
        row.over_limit, row.note = (
            (after / before,) * 3,
            "the limit is the process with the network loaded",
        )
        yield row
    for what, short, long in (
        ("steps", (4, 6, 96), (4, 24, 96)),
        ("units", (8, 3, 96), (32, 3, 96)),
    ):
        _, first = peak(*short)
        _, second = peak(*long)
        row = Row(
            "memory",
            f"four times the {what}",
            "embedded",
            "",
            "MiB at the highest",
            second,
            limit=first,
            rounds=1,
        )
        row.over_limit, row.allowed, row.note = (
            (second / first,) * 3,
            SAME,
            f"the limit is the run with a quarter of the {what}",
        )
        yield row
