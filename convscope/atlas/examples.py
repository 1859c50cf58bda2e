from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from convscope.atlas.engines import Engine
from convscope.atlas.render.layer_selection import select_layers
from convscope.atlas.scan import listing
from convscope.atlas.scan.crops import Cropper, PassFacts
from convscope.atlas.scan.example_jobs import RECIPE_VERSION, ExampleJob, example_jobs
from convscope.atlas.scan.listing import Survey, survey
from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.photo_pass import (
    PassFiles,
    num_scanned,
    photos_per_second,
    scan_photos,
    write_examples,
    write_skipped,
)
from convscope.atlas.scan.scanner import Scanner
from convscope.atlas.store.file_names import network_folder
from convscope.atlas.store.parts import digest
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.core.interrupt import Stop, stopping
from convscope.core.quantities import format_bytes, format_duration, pluralize
from convscope.core.ranges import Fraction, NonNegativeInt, PositiveInt, Seed, Side, Threads
from convscope.core.validation import checked
from convscope.errors import ImageError, NumericError, OptionError
from convscope.networks.concept_layer import concept_digest, is_concept_layer
from convscope.networks.load import ModelLike, load_model
from convscope.networks.torch_settings import plain_torch_settings
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.probe.receptive_field import receptive_fields

RESERVOIR_PER_SAMPLE = 12
"""For each sample so many photos are drawn by chance, of which the sample takes even steps through
the unit's range."""

BYTES_PER_CROP = 3500
"""Of a crop at most, as measured on photographs at the default size."""


@dataclass(frozen=True)
class ExamplesRecipe:
    """What the rows of a pass depend on, beside the network and the photos."""

    k: int
    samples: int
    crop: int
    field_share: float
    seed: int
    batch: int
    half: bool

    def check(self) -> None:
        """Raise an `OptionError` for a number out of range."""
        for name, value, least in (
            ("k", self.k, 1),
            ("samples", self.samples, 0),
            ("crop", self.crop, 8),
            ("batch", self.batch, 1),
        ):
            if value < least:
                raise OptionError(f"{name} must be {least} or more; {value} was given.")
        if not 0 < self.field_share <= 1:
            raise OptionError(
                f"field_share must be above 0 and at most 1; {self.field_share} was given."
            )
        check_batch(self.batch)


@plain_torch_settings()
@checked("model")
def examples(
    model: ModelLike,
    images: str,
    out: str | Path,
    *,
    layers: str | Sequence[str] = "blocks.*",
    k: PositiveInt = 9,
    samples: NonNegativeInt = 6,
    crop: Side = 96,
    field_share: Fraction = 1.0,
    seed: Seed = 0,
    batch: PositiveInt = 32,
    half: bool = False,
    engine: str = "local",
    address: str | None = None,
    threads: Threads | None = None,
    dry_run: bool = False,
) -> Summary:
    """For every unit the photos that excite it most, what it saw of them, and a sample over its
    whole range.

    One pass: each photo is read once, the network runs once and stops after the last layer, and of
    each unit only the `k` best and some values by chance are kept, so that memory does not grow
    with the photos. A unit's value on a photo is its largest over all places; the box is the
    receptive field of that place (measured: where a gradient from there arrives in the input),
    clipped to what the network sees of the photo. A pass that was killed loses at most 512 photos.

    Args:
        model: what `load_model` takes.
        images: a folder, .parquet or .tar files (webdataset) or patterns of these, or hf:NAME or
            hf:NAME:SPLIT.
        out: a folder, or a URL that fsspec knows.
        layers: names or patterns, as in `build`; concept:NAME stands for the concepts in
            NAME.safetensors, each a unit.
        k: how many photos of each unit.
        samples: how many more photos spread over each unit's range, one from each part of it; drawn
            at random, so that the ends need not be among them.
        crop: longest side of a stored crop in pixels.
        field_share: the share of the gradient that the box holds: 1 is the whole receptive field,
            0.9 the effective one.
        seed: of the photos that are held by chance.
        batch: photos that run at once.
        half: compute in bfloat16.
        engine: where to run: local or ray.
        address: of the Ray cluster; without one, Ray runs on this machine.
        threads: processor threads for each worker.
        dry_run: only count the photos, and say how long from one measured batch.

    Raises:
        InputError: there are no photos there.
        ImageError: not one of them can be read.
        NumericError: every activation is NaN or infinite.
        OutputError: `out` cannot be written.

    Example:
        atlas.examples(model, "photos/", "atlas/", layers="blocks.*,head")
        $ convscope atlas examples --images photos/ --layers 'blocks.*,head' --out atlas/
    """
    run = Engine(engine, address=address, threads=threads)
    recipe = ExamplesRecipe(k, samples, crop, field_share, seed, batch, half)
    recipe.check()
    if threads is not None and threads < 1:
        raise OptionError(f"threads must be 1 or more; {threads} was given.")
    source = source_of(images)
    loaded = load_model(model)
    with Probe(loaded) as probe:
        known = probe.layers
        names = select_layers(loaded, known, layers)
    units = {name: known[name].units for name in names}
    scanner = Scanner(
        loaded,
        names,
        source,
        k=k,
        reservoir=RESERVOIR_PER_SAMPLE * samples,
        seed=seed,
        batch=batch,
        half=half,
    )
    surveyed = survey(source)
    if surveyed.count == 0:
        raise ImageError(f"There is no photo in {images}.")
    try:
        if dry_run:
            return _estimate(scanner, surveyed.count, sum(units.values()), k + samples)
        identity = [loaded.identity, units, surveyed.digest, asdict(recipe)]
        # A file of concepts under the same name may hold others tomorrow.
        identity += [concept_digest(name) for name in names if is_concept_layer(name)]
        run_hash = digest(["pass", RECIPE_VERSION, *identity])[:32]
        folder = network_folder(loaded.name, loaded.identity)
        files = PassFiles(Store(out, create=True), folder, run_hash)
        jobs = [
            job
            for name in names
            for job in example_jobs(run_hash, name, known[name].order, units[name])
        ]
        with stopping() as stop:
            return _run(files, scanner, jobs, recipe, surveyed, images, run, stop)
    finally:
        scanner.close()


def check_batch(batch: int) -> None:
    """Raise an `OptionError` where a shard is not whole batches."""
    if listing.SHARD_SIZE % batch:
        raise OptionError(
            f"batch must divide {listing.SHARD_SIZE}, so that a shard is whole batches; {batch} was"
            " given."
        )


def _run(
    files: PassFiles,
    scanner: Scanner,
    jobs: list[ExampleJob],
    recipe: ExamplesRecipe,
    surveyed: Survey,
    images: str,
    run: Engine,
    stop: Stop,
) -> Summary:
    """Scan the photos and cut out what is missing."""
    started = time.perf_counter()
    url, num_units = files.store.url, sum(job.last - job.first for job in jobs)
    units, photos = pluralize(num_units, "unit"), pluralize(surveyed.count, "photo")
    finished = files.store.finished_jobs("examples", files.folder)
    missing = [job for job in jobs if job.hash not in finished]
    if not missing:
        files.sweep("examples", "skipped")
        sentence = f"{url}: the examples of {units} in {photos} are all there."
        return Summary(sentence, details={"units": num_units})
    state = scan_photos(files, scanner, surveyed.count, run, stop)
    scan_seconds = time.perf_counter() - started
    scanned = num_scanned(state, surveyed.count)
    if scanned < surveyed.count:
        sentence = (
            f"{url}: stopped after {scanned:,} of {photos}; the same command goes on from here."
        )
        return Summary(sentence, details={"photos": scanned, "units": num_units}, stopped=True)
    if not state.photos:
        raise ImageError(
            f"None of the {photos} in {images} can be read; the first: {state.skipped[0][1]}"
        )
    num_without = state.num_units_without_photo()
    _require_examples(files, scanner, num_units, num_without)
    model = scanner.model
    text = json.dumps(asdict(recipe), sort_keys=True)
    facts = PassFacts(model.name, model.identity, surveyed.digest, text)
    fields = receptive_fields(scanner.prepare(), scanner.layers, recipe.field_share)
    cropper = Cropper(model, scanner.source, fields, recipe.crop, facts)
    num_written = write_examples(files, cropper, state, missing, recipe.samples, stop)
    write_skipped(files, facts, state)
    if num_written == len(missing):
        files.sweep("examples", "skipped")
    return _summarize(
        url, state, num_units, num_without, num_written, len(missing), scan_seconds, started
    )


def _require_examples(files: PassFiles, scanner: Scanner, num_units: int, num_without: int) -> None:
    """Raise a `NumericError` where no photo gave any unit a number."""
    if num_without == num_units:
        files.store.remove(files.progress)
        hint = "; leave out half" if scanner.half else ""
        raise NumericError(
            f"The activations of {', '.join(scanner.layers)} are NaN or infinite on every"
            f" photo{hint}."
        )


def _summarize(
    url: str,
    state: PassState,
    num_units: int,
    num_without: int,
    num_written: int,
    num_missing: int,
    scan_seconds: float,
    started: float,
) -> Summary:
    seconds = time.perf_counter() - started
    skipped = [{"photo": name, "reason": reason} for name, reason in state.skipped]
    details = {
        "photos": state.photos,
        "skipped": skipped,
        "units": num_units,
        "seconds": round(seconds, 3),
        "looking_seconds": round(scan_seconds, 3),
        "parts": num_written,
        "without_examples": num_without,
    }
    if num_written < num_missing:
        sentence = (
            f"{url}: stopped while cutting out; {num_written} of {pluralize(num_missing, 'part')}"
            " are there, and the same command goes on from here."
        )
        return Summary(sentence, details=details, stopped=True)
    units, photos = pluralize(num_units, "unit"), pluralize(state.photos, "photo")
    sentence = f"{url}: the examples of {units} in {photos}, {format_duration(seconds)}"
    if skipped:
        sentence += f"; {pluralize(len(skipped), 'photo')} skipped, since unreadable"
    if num_without:
        sentence += f"; {pluralize(num_without, 'unit')} without, NaN or infinite on every photo"
    return Summary(sentence + ".", skipped, details)


def _estimate(scanner: Scanner, num_photos: int, num_units: int, crops_per_unit: int) -> Summary:
    """How long the pass takes, and how large the atlas becomes at most."""
    rate = photos_per_second(scanner)
    size = num_units * crops_per_unit * BYTES_PER_CROP
    sentence = (
        f"{pluralize(num_photos, 'photo')}, {pluralize(num_units, 'unit')}: about"
        f" {format_duration(num_photos / rate)} at {rate:.1f} photos per second, at most"
        f" {format_bytes(size)}."
    )
    seconds = round(num_photos / rate, 1)
    details = {"photos": num_photos, "units": num_units, "seconds": seconds, "rate": rate}
    return Summary(sentence, details=details | {"bytes": size})
