from __future__ import annotations

import posixpath
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from convscope.atlas.engines import Engine
from convscope.atlas.render.estimate import estimate_build
from convscope.atlas.render.jobs import RenderJob, RenderSpec, render_jobs
from convscope.atlas.render.layer_selection import is_scores, select_layers
from convscope.atlas.render.renderer import Renderer
from convscope.atlas.store.file_names import folder_name, network_folder
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.atlas.store.superseded import remove_superseded
from convscope.atlas.store.tables import UNITS
from convscope.core.interrupt import stopping
from convscope.core.progress import advance, report_to
from convscope.core.quantities import format_duration, pluralize
from convscope.core.ranges import Copies, NonNegativeFloat, PositiveInt, Seed, Side, Steps, Threads
from convscope.core.validation import checked
from convscope.errors import InputError, OptionError
from convscope.networks.layer import Layers
from convscope.networks.load import ModelLike, load_model
from convscope.networks.model import Model
from convscope.networks.torch_settings import plain_torch_settings
from convscope.probe import Probe
from convscope.synthesis.auto_size import auto_size
from convscope.synthesis.settings import Settings

LARGEST = 96
"""Height and width in pixels of the pictures of layers with a wide receptive field."""


@plain_torch_settings()
@checked("model")
def build(
    model: ModelLike,
    layers: str | Sequence[str],
    out: str | Path,
    *,
    preset: str = "distill",
    steps: Steps | None = 64,
    size: Side | tuple[Side, Side] | Literal["auto"] | None = "auto",
    diversity: Copies = 1,
    diversity_weight: NonNegativeFloat = 100.0,
    seed: Seed = 0,
    batch: PositiveInt = 16,
    half: bool = False,
    engine: str = "local",
    address: str | None = None,
    threads: Threads | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
) -> Summary:
    """A picture of every unit of the chosen layers: what each looks for, how strongly its picture
    excites it, and whether it is dead.

    Written to `out` as Parquet parts with the pictures inside. A part is one batch of units of a
    layer, known by the hash of what it is made from; what is there already is not made again, so
    that a build that was killed goes on where it was and ends with the same bytes. A unit that
    fails is recorded with its reason. The score is that of the finished picture.

    Args:
        model: what `load_model` takes.
        layers: names or patterns, separated by commas; `*` does not cross a dot, `**` does, and
            "head" is the layer of classes, and "scores" what can be asked of any network by number:
            a detector's or segmenter's classes, the values of a regression.
        out: a folder, or a URL that fsspec knows, such as s3://bucket/atlas.
        preset: a published way of making pictures: distill, lucid, maco ...
        steps: of each ascent; the preset's number where None.
        size: height and width of the pictures; the preset's where None. "auto": as each layer's
            receptive field needs, from 64 to 96.
        diversity: so many different faces of each unit.
        diversity_weight: how strongly faces are driven apart.
        seed: of the one random generator.
        batch: pictures that are optimized together; part of the recipe, since sums in floating
            point depend on it.
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
    run = Engine(engine, address=address, threads=threads)
    fixed_size = LARGEST if size == "auto" else size
    settings = Settings(preset, "visualize", steps=steps, size=fixed_size)
    for name, value in (("diversity", diversity), ("batch", batch), ("threads", threads or 1)):
        if value < 1:
            raise OptionError(f"{name} must be 1 or more; {value} was given.")
    loaded = load_model(model)
    with Probe(loaded) as probe:
        known = probe.layers
    names = select_layers(loaded, known, layers, with_scores=True)
    _check_diversity(known, names, diversity)
    spec = RenderSpec(
        loaded.name,
        loaded.identity,
        preset,
        settings.preset_parts,
        settings.steps,
        settings.size,
        diversity,
        float(diversity_weight),
        seed,
        batch,
        half,
    )
    sizes = _sizes(loaded, known, names) if size == "auto" else {}
    jobs = render_jobs(loaded, known, names, spec, sizes)
    store = _open_store(out, dry_run)
    folder = network_folder(loaded.name, loaded.identity)
    finished = {} if store is None else store.finished_jobs("units", folder)
    missing = [
        job for job in jobs if job.hash not in finished or (retry_failed and finished[job.hash])
    ]
    renderer = Renderer(loaded)
    if store is None or dry_run:
        with report_to(lambda what, done, total: None):  # the trial's steps are not the work's
            return estimate_build(renderer, jobs, missing, threads)
    return _run(store, renderer, jobs, missing, run)


def _check_diversity(layers: Layers, names: Sequence[str], diversity: int) -> None:
    if diversity > 1 and any(is_scores(layers, name) for name in names):
        raise OptionError(
            "Different faces are told apart by a layer's maps, and 'scores' is no layer; leave out"
            " diversity, or name layers only."
        )


def _sizes(model: Model, layers: Layers, names: Sequence[str]) -> dict[str, int]:
    """The side of each layer's pictures, from what its units see of the image."""
    return {
        name: LARGEST if is_scores(layers, name) else auto_size(model, [name], LARGEST)
        for name in names
    }


def _open_store(out: str | Path, dry_run: bool) -> Store | None:
    """The atlas; None where there is none yet and none is wanted."""
    if not dry_run:
        return Store(out, create=True)
    try:
        return Store(out)
    except InputError:
        return None


def _run(
    store: Store, renderer: Renderer, jobs: list[RenderJob], missing: list[RenderJob], run: Engine
) -> Summary:
    """Render what is missing."""
    total = sum(job.num_units for job in jobs)
    existing = total - sum(job.num_units for job in missing)
    rendered = 0
    started = time.perf_counter()
    with stopping() as stop:
        advance("atlas: units", existing, total)
        for job, data in run(renderer, stop.until(missing)):
            store.write(_path(store, job), data)
            rendered += job.num_units
            advance("atlas: units", existing + rendered, total)
    store.sweep("units")
    if existing + rendered == total:
        _remove_earlier(store, jobs)
    seconds = time.perf_counter() - started
    num_dead, num_failed = _count_dead_and_failed(store, jobs)
    left = total - existing - rendered
    stopped = stop.asked and left > 0
    sentence = f"{store.url}: {pluralize(total, 'unit')}, {rendered:,} made"
    if rendered:
        sentence += f" in {format_duration(seconds)} ({rendered / seconds:.2f} per second)"
    if existing:
        sentence += f", {existing:,} there before"
    if num_dead:
        sentence += f", {num_dead:,} dead"
    if num_failed:
        sentence += f", {num_failed:,} failed (retry with --retry-failed)"
    if stopped:
        sentence += f"; stopped: {left:,} are missing, and the same command goes on from here"
    details = {
        "units": total,
        "made": rendered,
        "skipped": existing,
        "missing": left,
        "seconds": round(seconds, 3),
        "dead": num_dead,
        "failed": num_failed,
    }
    return Summary(sentence + ".", details=details, stopped=stopped)


def _path(store: Store, job: RenderJob) -> str:
    """Where a job's part lies."""
    return store.path("units", _folder(job), f"part-{job.hash}.parquet")


def _folder(job: RenderJob) -> str:
    """The folder of a job's layer."""
    network = network_folder(job.spec.model, job.spec.model_id)
    return posixpath.join(network, folder_name(job.layer))


def _remove_earlier(store: Store, jobs: list[RenderJob]) -> None:
    """Remove the same pictures under other labels, or as an earlier version wrote them: the last
    ones count."""
    hashes = {job.hash for job in jobs}
    for folder in dict.fromkeys(_folder(job) for job in jobs):
        remove_superseded(store, UNITS, folder, hashes, ("label", "recipe_version"))


def _count_dead_and_failed(store: Store, jobs: list[RenderJob]) -> tuple[int, int]:
    """How many units are dead and how many failed, as the parts say."""
    if not jobs:
        return 0, 0
    hashes = {job.hash for job in jobs}
    dead: set[tuple[str, int]] = set()
    failed: set[tuple[str, int]] = set()
    spec = jobs[0].spec
    for part in store.parts("units", network_folder(spec.model, spec.model_id)):
        header = store.header(part)
        if header is None or hashes.isdisjoint(header.job_hashes):
            continue
        for row in store.read(part, ["layer", "unit", "dead", "error", "job"]).to_pylist():
            if row["job"] in hashes:
                unit = (row["layer"], row["unit"])
                dead |= {unit} if row["dead"] else set()
                failed |= {unit} if row["error"] is not None else set()
    return len(dead), len(failed)
