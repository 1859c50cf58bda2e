from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from convscope.atlas.engines import registry as engines
from convscope.atlas.render.jobs import Job, Spec, jobs_of
from convscope.atlas.render.layer_selection import choose
from convscope.atlas.render.renderer import Renderer
from convscope.atlas.store.store import Store, model_folder, word
from convscope.atlas.store.summary import Report, amount, duration, many
from convscope.core.interrupt import stopping
from convscope.core.progress import advance, report_to
from convscope.errors import OptionError
from convscope.networks.load import load_model
from convscope.probe import Probe
from convscope.synthesis.settings import Settings
from convscope.verbs._verb import ModelLike

TRIED_STEPS = 4
"""Steps of the batch that each layer's time is estimated from; the first is not counted."""


def build(
    model: ModelLike,
    layers: str | Sequence[str],
    out: str,
    *,
    preset: str = "distill",
    steps: int | None = 64,
    size: int | tuple[int, int] | None = 96,
    diversity: int = 1,
    diversity_weight: float = 100.0,
    seed: int = 0,
    batch: int = 16,
    half: bool = False,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
) -> Report:
    """A picture of every unit of the chosen layers: what each looks for, how strongly its picture
    excites it, and whether it is dead.

    Written to `out` as Parquet parts with the pictures inside. A part is one batch of units of a
    layer, known by the hash of what it is made from; what is there already is not made again, so
    that a build that was killed goes on where it was and ends with the same bytes. A unit that
    fails is recorded with its reason.

    Args:
        model: what `load_model` takes.
        layers: names or patterns, separated by commas; `*` does not cross a dot, `**` does, and
            "head" is the layer of classes.
        out: a folder, or a URL that fsspec knows, such as s3://bucket/atlas.
        preset: a published way of making pictures: distill, lucid, maco ...
        steps: of each ascent; the preset's number where None.
        size: height and width of the pictures; the preset's where None.
        diversity: so many different faces of each unit; `score` is then the unit's own on the
            finished picture.
        diversity_weight: how strongly faces are driven apart.
        seed: of the one random generator.
        batch: pictures that climb together; part of the recipe, since sums in floating point depend
            on it.
        half: compute in bfloat16.
        engine: where to run: local or ray.
        address: of the Ray cluster; without one, Ray runs on this machine.
        threads: processor threads for each worker.
        retry_failed: make the batches again in which a unit failed.
        dry_run: make nothing; say how many units there are, and from a measured batch of each layer
            how long and how large.

    Raises:
        LayerError: a name or pattern that fits no layer.
        OutputError: `out` cannot be written.
        ExtraError: pyarrow, fsspec or ray is not installed.

    Example:
        atlas.build(model, "blocks.*,head", "atlas/")
        $ convscope atlas build --layers 'blocks.*,head' --out atlas/
    """
    runner = engines.get(engine)
    settings = Settings(preset, "visualize", steps=steps, size=size)
    for name, value in (
        ("diversity", diversity),
        ("batch", batch),
        ("threads", 1 if threads is None else threads),
    ):
        if value < 1:
            raise OptionError(f"{name} must be 1 or more; {value} was given.")
    loaded = load_model(model)
    with Probe(loaded) as probe:
        known = probe.layers
    names = choose(loaded, known, layers)
    given = {
        "diversity": diversity,
        "diversity_weight": float(diversity_weight),
        "seed": seed,
        "batch": batch,
        "half": half,
    }
    jobs = jobs_of(loaded, known, names, Spec.of(loaded, settings, preset, **given))
    store = Store(out, create=not dry_run) if not dry_run or _exists(out) else None
    there = (
        {} if store is None else present(store, "units", model_folder(loaded.name, loaded.identity))
    )
    todo = [job for job in jobs if job.hash not in there or (retry_failed and there[job.hash])]
    renderer = Renderer(loaded)
    if dry_run:
        with report_to(lambda what, done, total: None):  # the trial's steps are not the work's
            return _estimate(renderer, jobs, todo, threads)
    assert store is not None
    return _run(store, renderer, jobs, todo, runner, {"address": address, "threads": threads})


def present(store: Store, *folders: str) -> dict[str, int]:
    """The jobs whose rows are in readable parts, each with how many of its rows failed."""
    found: dict[str, int] = {}
    for part in store.parts(*folders):
        head = store.head(part)
        if head is not None:
            found |= {job["job"]: head["failed"] for job in head["jobs"]}
    return found


def path_of(store: Store, job: Job) -> str:
    """Where a job's part lies."""
    return store.path(
        "units",
        model_folder(job.spec.model, job.spec.model_id),
        word(job.layer),
        f"part-{job.hash}.parquet",
    )


def _run(
    store: Store,
    renderer: Renderer,
    jobs: list[Job],
    todo: list[Job],
    runner: Any,
    options: dict[str, Any],
) -> Report:
    """Make what is missing."""
    total = sum(job.last - job.first for job in jobs)
    missing = sum(job.last - job.first for job in todo)
    done = total - missing
    started = time.perf_counter()
    made: list[Job] = []
    with stopping() as stop:
        advance("atlas: units", done, total)
        running: Iterator[tuple[Job, bytes]] = runner(renderer, stop.until(todo), **options)
        for job, data in running:
            store.write(path_of(store, job), data)
            made.append(job)
            done += job.last - job.first
            advance("atlas: units", done, total)
    store.sweep("units")
    seconds = time.perf_counter() - started
    counts = _counted(store, jobs)
    new = sum(job.last - job.first for job in made)
    details = {
        "units": total,
        "made": new,
        "skipped": total - missing,
        "missing": total - done,
        "seconds": round(seconds, 3),
        **counts,
    }
    sentence = f"{store.url}: {many(total, 'unit')}, {new:,} made"
    sentence += f" in {duration(seconds)} ({new / seconds:.2f} per second)" if new else ""
    sentence += f", {total - missing:,} there before" if total > missing else ""
    sentence += f", {counts['dead']:,} dead" if counts["dead"] else ""
    sentence += (
        f", {counts['failed']:,} failed (retry with --retry-failed)" if counts["failed"] else ""
    )
    stopped = stop.asked and done < total
    if stopped:
        sentence += (
            f"; stopped: {total - done:,} are missing, and the same command goes on from here"
        )
    return Report(sentence + ".", details=details, stopped=stopped)


def _counted(store: Store, jobs: list[Job]) -> dict[str, Any]:
    """How many units are dead or failed, as the parts say."""
    wanted = {job.hash for job in jobs}
    dead: set[Any] = set()
    failed: set[Any] = set()
    if jobs:
        for part in store.parts("units", model_folder(jobs[0].spec.model, jobs[0].spec.model_id)):
            head = store.head(part)
            if head is None or not wanted & {job["job"] for job in head["jobs"]}:
                continue
            for row in store.read(part, ["layer", "unit", "dead", "error", "job"]).to_pylist():
                if row["job"] in wanted:
                    dead |= {(row["layer"], row["unit"])} if row["dead"] else set()
                    failed |= {(row["layer"], row["unit"])} if row["error"] is not None else set()
    return {"dead": len(dead), "failed": len(failed)}


def _estimate(renderer: Renderer, jobs: list[Job], todo: list[Job], threads: int | None) -> Report:
    """How long and how large: a few steps of one batch of each layer, and the bytes of one batch's
    pictures."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    seconds = 0.0
    table = []
    try:
        for layer in dict.fromkeys(job.layer for job in todo):
            own = [job for job in todo if job.layer == layer]
            first = own[0]
            renderer.prepared(layer, first.spec.half)
            tried = min(TRIED_STEPS, first.spec.steps)
            units = list(range(first.first, first.last))
            renderer.optimize(first, units, 1)
            begun = time.perf_counter()
            renderer.optimize(first, units, tried)
            each = (time.perf_counter() - begun) / tried / len(first) * first.spec.steps
            rows = sum(len(job) for job in own)
            seconds += each * rows
            units_left = sum(job.last - job.first for job in own)
            table.append(
                {
                    "layer": layer,
                    "units": units_left,
                    "seconds_per_picture": round(each, 3),
                    "seconds": round(each * rows, 1),
                }
            )
        size = (
            len(renderer(todo[len(todo) // 2]))
            / len(todo[len(todo) // 2])
            * sum(len(job) for job in todo)
            if todo
            else 0.0
        )
    finally:
        torch.set_num_threads(before)
    total = sum(job.last - job.first for job in jobs)
    missing = sum(job.last - job.first for job in todo)
    details = {
        "units": total,
        "missing": missing,
        "seconds": round(seconds, 1),
        "bytes": round(size),
    }
    sentence = (
        f"{many(total, 'unit')}, {missing:,} to make: about {duration(seconds)} with one worker on"
        f" this machine, and {amount(size)}."
    )
    return Report(sentence, table, details)


def _exists(out: str) -> bool:
    from convscope.errors import InputError

    try:
        Store(out)
    except InputError:
        return False
    return True
