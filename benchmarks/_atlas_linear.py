"""Whether the time of an atlas grows as a line, over units and over photos."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import convscope
from benchmarks._atlas_measures import crops, limited, number
from convscope import atlas
from convscope.atlas.scan.listing import SHARD_SIZE


def linear(options: argparse.Namespace) -> None:
    """Time over units and over photos."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    model = convscope.load_model()
    units = [16, 32, 48, 64, 80][: options.points]
    photos = [SHARD_SIZE // 4 * step for step in range(1, options.points + 1)]
    seconds: dict[str, list[float]] = {"units": [], "photos": []}
    with tempfile.TemporaryDirectory() as scratch:
        for count in units:
            with limited("blocks.3", count):
                seconds["units"].append(
                    number(
                        atlas.build(model, "blocks.3", f"{scratch}/u{count}", steps=options.steps),
                        "seconds",
                    )
                )
        for count in photos:
            folder = crops(Path(scratch) / f"photos{count}", count)
            seconds["photos"].append(
                number(atlas.examples(model, str(folder), f"{scratch}/p{count}"), "looking_seconds")
            )
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, (name, counts) in zip(axes, (("units", units), ("photos", photos)), strict=True):
        slope, start = np.polyfit(counts, seconds[name], 1)
        fit = np.corrcoef(counts, seconds[name])[0, 1] ** 2
        axis.plot(counts, seconds[name], "o", counts, slope * np.array(counts) + start, "-")
        axis.set(
            xlabel=name,
            ylabel="seconds",
            title=f"{slope:.3f} s each, $R^2$ = {fit:.4f}",
            xlim=(0, None),
            ylim=(0, None),
        )
        print(
            f"{name}: {dict(zip(counts, np.round(seconds[name], 2).tolist(), strict=True))}, R2"
            f" {fit:.4f}"
        )
    figure.savefig(options.out, dpi=120)
    print(options.out)
