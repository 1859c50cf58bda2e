"""How fast an atlas is made, beside the bare batched optimization."""

from __future__ import annotations

import argparse
import tempfile
import time

import convscope
from benchmarks._atlas_measures import limited, number, peak_gigabytes
from benchmarks.atlas_table import keep_part
from convscope import atlas
from convscope.probe import Probe
from convscope.synthesis.objective import channel
from convscope.synthesis.optimize_batches import BatchOptions, optimize_batches
from convscope.synthesis.settings import Settings


def build(options: argparse.Namespace) -> None:
    """The units' rate by layer, interleaved with the bare ascent of the same units."""
    model = convscope.load_model()
    with Probe(model) as probe:
        layers = probe.layers
    names = (
        options.layers.split(",")
        if options.layers
        else [*(f"blocks.{number}" for number in range(7)), "classifier"]
    )
    if options.whole:
        build_whole(model, names, options)
        return
    total = {"atlas": 0.0, "bare": 0.0}
    for name in names:
        count = min(options.units, layers[name].units)
        wanted = [channel(name, unit) for unit in range(count)]
        seconds: dict[str, list[float]] = {"atlas": [], "bare": []}
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as folder, limited(name, count):
                started = time.perf_counter()
                atlas.build(model, name, folder, steps=options.steps, size=options.size)
                seconds["atlas"].append(time.perf_counter() - started)
            started = time.perf_counter()
            with Probe(model) as probe:
                optimize_batches(
                    probe,
                    wanted,
                    Settings("distill", "visualize", steps=options.steps, size=options.size),
                    BatchOptions(seed=0, batch=16),
                )
            seconds["bare"].append(time.perf_counter() - started)
        best = {key: min(values) / count for key, values in seconds.items()}
        for key, value in best.items():
            total[key] += value * layers[name].units
        print(
            f"{name:12s} atlas {best['atlas']:.3f} s a unit, bare {best['bare']:.3f}, ratio"
            f" {best['atlas'] / best['bare']:.3f}",
            flush=True,
        )
    print(
        f"all units of these layers: {total['atlas'] / 60:.1f} min, bare {total['bare'] / 60:.1f}"
        f" min, ratio {total['atlas'] / total['bare']:.3f}; peak {peak_gigabytes()} GB"
    )
    units = sum(layers[name].units for name in names)
    keep_part(
        "build",
        {
            "ratio": round(total["atlas"] / total["bare"], 3),
            "rate": round(units / total["atlas"], 2),
        },
    )


def build_whole(model: convscope.Model, names: list[str], options: argparse.Namespace) -> None:
    """All units of the layers, without the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        report = atlas.build(model, names, folder, steps=options.steps, size=options.size)
        print(report, f"peak {peak_gigabytes()} GB", flush=True)
    elapsed, count = number(report, "seconds"), int(number(report, "units"))
    keep_part(
        "whole",
        {
            "units": count,
            "steps": options.steps,
            "side": options.size,
            "minutes": round(elapsed / 60, 1),
            "rate": round(count / elapsed, 2),
            "gigabytes": peak_gigabytes(),
            "beside": options.beside,
        },
    )
