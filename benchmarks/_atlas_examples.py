"""How fast an atlas reads photos, beside the bare forward."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import convscope
from benchmarks._atlas_measures import crops, number, peak_gigabytes
from benchmarks.atlas_table import keep_part
from convscope import atlas
from convscope.atlas.scan.listing import announce_ahead, shards
from convscope.atlas.scan.scanner import Scanner
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe


def examples(options: argparse.Namespace) -> None:
    """The photo rate of the pass, and of reading the same photos and running the bare network on
    them."""
    model = convscope.load_model()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (
            Path(options.folder)
            if options.folder
            else crops(Path(scratch) / "photos", options.photos)
        )
        layers = ["blocks.*", "head"]
        bare, loaded, fast = [], [], []
        for _ in range(options.repeats):
            seconds, held = forward(model, folder, options.batch)
            bare.append(seconds)
            loaded.append(held)
            fast.append(forward(model, folder, options.batch, prepared=True)[0])
        whole, pass_seconds = [], []
        for turn in range(options.repeats):
            report = atlas.examples(
                model, str(folder), f"{scratch}/atlas{turn}", layers=layers, batch=options.batch
            )
            whole.append(number(report, "seconds"))
            pass_seconds.append(number(report, "looking_seconds"))
        count = number(report, "photos")
        rates = {
            "bare forward, photos read": bare,
            "bare forward, photos in memory": loaded,
            "prepared forward, photos read": fast,
            "pass": pass_seconds,
            "pass and crops": whole,
        }
        for name, times in rates.items():
            print(f"{name:32s}{count / min(times):8.2f} photos per second")
        print(
            f"pass / bare {min(bare) / min(pass_seconds):.3f},"
            f" with crops {min(bare) / min(whole):.3f}, against photos in memory"
            f" {min(loaded) / min(pass_seconds):.3f}, pass / prepared"
            f" {min(fast) / min(pass_seconds):.3f}"
        )
        size = sum(path.stat().st_size for path in Path(scratch).rglob("*.parquet"))
        print(
            f"{count} photos, {report['units']} units, {size / 1e6 / options.repeats:.1f} MB;"
            f" peak {peak_gigabytes()} GB"
        )
    keep_part(
        "examples",
        {
            "photos": int(count),
            "units": int(number(report, "units")),
            "over_bare": round(min(bare) / min(pass_seconds), 2),
            "with_crops": round(min(bare) / min(whole), 2),
            "rate": round(count / min(whole), 1),
            "of_prepared": round(min(fast) / min(pass_seconds), 3),
            "gigabytes": peak_gigabytes(),
        },
    )


def forward(
    model: convscope.Model, folder: Path, batch: int, *, prepared: bool = False
) -> tuple[float, float]:
    """Seconds to read all photos as the pass does and run the plain network on them, and of the
    running alone."""
    scanner = Scanner(
        model,
        ["classifier"],
        source_of(str(folder)),
        k=1,
        reservoir=1,
        seed=0,
        batch=batch,
        half=False,
    )
    network = scanner.prepare() if prepared else model
    started = time.perf_counter()
    alone = 0.0
    with Probe(network) as probe:
        for shard in announce_ahead(shards(scanner.source, set()), scanner.announce):
            for batch_read in scanner.batches(shard):
                image = model.preprocess(batch_read.images())
                start = time.perf_counter()
                probe.output(image)
                alone += time.perf_counter() - start
    scanner.close()
    return time.perf_counter() - started, alone
