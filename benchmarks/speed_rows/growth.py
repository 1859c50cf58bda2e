"""How cost grows: seconds against images, units and steps, which should lie on a line; no row of it
compares with a peer."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

import convscope
from benchmarks._duel import Row, Setting, timed
from benchmarks.speed_rows._networks import model_of, noise

SIZE = 96
SIZES = (4, 8, 16, 32)
STRAIGHT = 0.98
"""Least share of the variance that a line must explain."""


@dataclass
class Curve:
    """Median seconds at each number of images, units or steps."""

    what: str
    counts: tuple[int, ...]
    seconds: list[float]

    @property
    def straight(self) -> float:
        """Share of the variance that a line explains (R squared)."""
        line = np.polyval(np.polyfit(self.counts, self.seconds, 1), self.counts)
        left = np.sum((np.asarray(self.seconds) - line) ** 2)
        return float(1 - left / np.sum((np.asarray(self.seconds) - np.mean(self.seconds)) ** 2))


def curves(setting: Setting) -> list[Curve]:
    """Grad-CAM over images, feature visualization over units and over steps."""
    model = model_of("embedded", setting.device)

    def explain(count: int) -> None:
        convscope.explain(model, [image[None] for image in noise(count, 224).sigmoid()], target=7)

    def units(count: int) -> None:
        convscope.visualize(
            model, [f"blocks.3:{unit}" for unit in range(count)], steps=2, size=SIZE, batch=4
        )

    def steps(count: int) -> None:
        convscope.visualize(model, "blocks.3:11", steps=count, size=SIZE)

    jobs: dict[str, Callable[[int], None]] = {
        "images (explain)": explain,
        "units (visualize)": units,
        "steps (visualize)": steps,
    }
    entries = []
    for what, job in jobs.items():
        job(SIZES[0])
        rounds = [
            [timed(partial(job, count), setting.device) for count in SIZES]
            for _ in range(setting.patience.rounds)
        ]
        entries.append(
            Curve(what, SIZES, [statistics.median(each) for each in zip(*rounds, strict=True)])
        )
    return entries


def run(setting: Setting) -> Iterator[Row]:
    """A row for each curve; its numbers are in the note."""
    for curve in curves(setting):
        said = ", ".join(
            f"{count}: {seconds:.3g} s"
            for count, seconds in zip(curve.counts, curve.seconds, strict=True)
        )
        row = Row(
            "growth",
            f"a line in {curve.what}",
            "embedded",
            "",
            "image, unit or step",
            rounds=setting.patience.rounds,
        )
        row.ours = (curve.seconds[-1] - curve.seconds[0]) / (curve.counts[-1] - curve.counts[0])
        row.straight, row.wanted, row.note = curve.straight, STRAIGHT, said
        row.curve = list(zip(curve.counts, curve.seconds, strict=True))
        yield row
