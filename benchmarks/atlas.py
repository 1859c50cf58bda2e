"""How fast an atlas is made, and whether it survives being killed.

    python -m benchmarks.atlas build [--layers 'blocks.*,head'] [--units 16]
        a whole atlas against the bare batched optimization
    python -m benchmarks.atlas examples [--photos 2048] [--folder FOLDER]
        a pass over photos against the bare forward
    python -m benchmarks.atlas linear [--out docs/atlas_linear.png]
        time over units and over photos, as a figure
    python -m benchmarks.atlas kill [--times 20] [--engine ray]
        SIGKILL at random moments, resumed, compared
    python -m benchmarks.atlas workers
        two Ray workers of one thread against one

The numbers go into docs/atlas.json, from which `benchmarks.pages` writes docs/atlas.md's table.
All on the embedded network and, without --folder, on random crops of scikit-image's photos. Start
with OMP_NUM_THREADS=1 on a machine that others use too. Peak memory is the process's own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

import convscope
from benchmarks.atlas_table import keep_part
from convscope import atlas
from convscope.atlas.scan.listing import SHARD_SIZE, announce_ahead, shards
from convscope.atlas.scan.scanner import Scanner
from convscope.atlas.store.summary import Summary
from convscope.photos.samples import sample
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.synthesis.objective import channel
from convscope.synthesis.optimize_batches import BatchOptions, optimize_batches
from convscope.synthesis.settings import Settings

PHOTOS = ("astronaut", "cat-and-coffee", "chelsea", "coffee", "rocket")


def peak_gigabytes() -> float:
    """The largest resident memory of this process so far."""
    # Linux gives KiB.
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2)


def crops(folder: Path, count: int) -> Path:
    """Random crops of the sample photos, in a folder for each photo."""
    generator = np.random.default_rng(0)
    photos = [Image.fromarray(np.asarray(sample(name))).convert("RGB") for name in PHOTOS]
    for number in range(count):
        photo = photos[number % len(photos)]
        side = int(generator.integers(200, min(*photo.size, 400) + 1))
        left, top = (int(generator.integers(0, length - side + 1)) for length in photo.size)
        place = folder / PHOTOS[number % len(photos)] / f"{number:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + side, top + side)).save(place, quality=90)
    return folder


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


@contextmanager
def limited(layer: str, count: int) -> Iterator[None]:
    """Only the first units of a layer, so that a small benchmark is one."""

    # `convscope.atlas.build` is the function; the module of that name is behind it.
    module = sys.modules["convscope.atlas.build"]
    render_jobs = vars(module)["render_jobs"]
    with patch.object(
        module,
        "render_jobs",
        lambda *args: [job for job in render_jobs(*args) if job.first < count],
    ):
        yield


def number(summary: Summary, name: str) -> float:
    """A number of a summary."""
    value = summary[name]
    assert isinstance(value, (int, float))
    return value


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


CHILD = """
import sys, json
import torch; torch.set_num_threads(1)
import convscope
from convscope import atlas
if __name__ == "__main__":
    out, photos, engine, steps = sys.argv[1:]
    model = convscope.load_model()
    print("ready", flush=True)
    atlas.build(model, "blocks.0", out, steps=int(steps), size=48, batch=4, engine=engine)
    atlas.examples(
        model, photos, out, layers="blocks.0,blocks.1", k=4, samples=2, batch=32, engine=engine
    )
    print("done", flush=True)
"""


def kill(options: argparse.Namespace) -> None:
    """Kill a build and a pass at random moments until they are done, and compare with one that was
    left alone."""
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        photos = crops(Path(scratch) / "photos", options.photos)
        script = Path(scratch) / "child.py"
        script.write_text(CHILD)

        def run(out: str, after: float | None) -> float | None:
            """Seconds it took, or None if it was killed before it was done."""
            command = [
                sys.executable,
                str(script),
                f"{scratch}/{out}",
                str(photos),
                options.engine,
                str(options.steps),
            ]
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            started = time.perf_counter()
            try:
                child.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return None
            assert child.stdout.read() == "done\n", "the child failed"
            return time.perf_counter() - started

        whole = run("whole", None)
        assert whole is not None
        kills = turns = 0
        while kills < options.times:
            turns += 1
            out = f"killed{turns}"
            finished = None
            while finished is None and kills < options.times:
                finished = run(out, chance.uniform(0, whole))
                kills += finished is None
            if finished is None:
                run(out, None)
            same = state(Path(scratch) / "whole") == state(Path(scratch) / out)
            print(
                f"atlas {turns}: {'same bytes' if same else 'DIFFERENT'} after {kills} kills in all"
                f" ({whole:.1f} s uninterrupted)",
                flush=True,
            )
            assert same
            assert atlas.verify(f"{scratch}/{out}").ok
    keep_part(f"kill {options.engine}", {"kills": kills, "atlases": turns})


def state(folder: Path) -> dict[str, str]:
    """Every file's name and hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def workers(options: argparse.Namespace) -> None:
    """The same jobs by one Ray worker and by two; starting them is not counted."""
    import ray

    model = convscope.load_model()
    seconds = {}
    for count in (1, 2):
        ray.init(
            num_cpus=count, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )
        with tempfile.TemporaryDirectory() as folder:
            atlas.build(
                model,
                "blocks.3",
                f"{folder}/warm",
                steps=2,
                size=64,
                batch=4,
                engine="ray",
                threads=1,
            )
            built = atlas.build(
                model,
                "blocks.3",
                f"{folder}/atlas",
                steps=options.steps,
                batch=8,
                engine="ray",
                threads=1,
            )
            seconds[count] = number(built, "seconds")
        ray.shutdown()
        print(f"{count} worker(s): {seconds[count]:.1f} s", flush=True)
    print(json.dumps({"speedup": round(seconds[1] / seconds[2], 3)}))
    keep_part("workers", {"speedup": round(seconds[1] / seconds[2], 3)})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["build", "examples", "linear", "kill", "workers"])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--layers", default=None)
    parser.add_argument("--units", type=int, default=16, help="of each layer, for `build`")
    parser.add_argument(
        "--whole", action="store_true", help="`build` makes all units, without the comparison"
    )
    parser.add_argument(
        "--beside", default="", help="what else the machine runs, for the row of `build --whole`"
    )
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--photos", type=int, default=2048)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--out", default="docs/atlas_linear.png")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    {"build": build, "examples": examples, "linear": linear, "kill": kill, "workers": workers}[
        arguments.what
    ](arguments)


if __name__ == "__main__":
    main()
