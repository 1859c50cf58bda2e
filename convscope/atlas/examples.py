from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from convscope.atlas.build import present
from convscope.atlas.engines import registry as engines
from convscope.atlas.render.layer_selection import choose
from convscope.atlas.scan.crops import RECIPE_VERSION, Cutter, Piece, recipe_text, winners
from convscope.atlas.scan.receptive_field import fields
from convscope.atlas.scan.scanner import SHARD, Scanner, Shard
from convscope.atlas.scan.top_k import State
from convscope.atlas.store.store import Store, model_folder, word
from convscope.atlas.store.summary import Report, amount, duration, many
from convscope.atlas.store.tables import EXAMPLES, SKIPPED, digest, encode, sealed
from convscope.core.interrupt import Stop, stopping
from convscope.core.progress import advance
from convscope.errors import ImageError, OptionError
from convscope.networks.load import load_model
from convscope.photos.sources.source_of import Source, source_of
from convscope.probe import Probe
from convscope.verbs._verb import ModelLike

UNITS = 32
"""Units whose examples share a part."""

CROPS = 50_000
"""Crops that are in memory at once; where there are more, the photos that won are read again for
the next layers."""

HELD = 12
"""For each sample so many photos are held by chance, of which the sample takes even steps through
the unit's range."""


def examples(
    model: ModelLike,
    images: str,
    out: str,
    *,
    layers: str | Sequence[str] = "blocks.*",
    k: int = 9,
    samples: int = 6,
    crop: int = 96,
    field_share: float = 1.0,
    seed: int = 0,
    batch: int = 32,
    half: bool = False,
    engine: str = "local",
    address: str | None = None,
    threads: int | None = None,
    dry_run: bool = False,
) -> Report:
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
        layers: names or patterns, as in `build`.
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
        OutputError: `out` cannot be written.

    Example:
        atlas.examples(model, "photos/", "atlas/", layers="blocks.*,head")
        $ convscope atlas examples --images photos/ --layers 'blocks.*,head' --out atlas/
    """
    runner = engines.get(engine)
    for name, value, least in (
        ("k", k, 1),
        ("samples", samples, 0),
        ("crop", crop, 8),
        ("batch", batch, 1),
        ("threads", threads or 1, 1),
    ):
        if value < least:
            raise OptionError(f"{name} must be {least} or more; {value} was given.")
    if not 0 < field_share <= 1:
        raise OptionError(f"field_share must be above 0 and at most 1; {field_share} was given.")
    if SHARD % batch:
        raise OptionError(
            f"batch must divide {SHARD}, so that a shard is whole batches; {batch} was given."
        )
    source = source_of(images)
    loaded = load_model(model)
    with Probe(loaded) as probe:
        known = probe.layers
        names = choose(loaded, known, layers)
        units = {name: known[name].units for name in names}
    hold = HELD * samples
    scanner = Scanner(loaded, names, source, k=k, hold=hold, seed=seed, batch=batch, half=half)
    count, listing = _survey(source)
    if count == 0:
        raise ImageError(f"There is no photo in {images}.")
    if dry_run:
        return _estimate(scanner, count, sum(units.values()), k + samples)
    store = Store(out, create=True)
    recipe = {
        "k": k,
        "samples": samples,
        "crop": crop,
        "field_share": field_share,
        "seed": seed,
        "batch": batch,
        "half": half,
    }
    run = digest(["pass", RECIPE_VERSION, loaded.identity, units, listing, recipe])[:32]
    folder = model_folder(loaded.name, loaded.identity)
    pieces = [
        Piece(run, name, known[name].order, first, min(first + UNITS, units[name]))
        for name in names
        for first in range(0, units[name], UNITS)
    ]
    there = present(store, "examples", folder)
    todo = [piece for piece in pieces if piece.hash not in there]
    total = sum(units.values())
    if not todo:
        _finish(store, folder, run)
        return Report(
            f"{store.url}: the examples of {many(total, 'unit')} in {many(count, 'photo')} are all"
            " there.",
            details={"units": total},
        )
    begun = time.perf_counter()
    with stopping() as stop:
        state = _passed(
            store,
            scanner,
            source,
            folder,
            run,
            count,
            runner,
            {"address": address, "threads": threads},
            stop,
        )
        looked = time.perf_counter() - begun
        if len(state.shards) * SHARD < count:
            seen = len(state.shards) * SHARD
            sentence = (
                f"{store.url}: stopped after {seen:,} of {many(count, 'photo')}; the same command"
                " goes on from here."
            )
            return Report(sentence, details={"photos": seen, "units": total}, stopped=True)
        if not state.photos:
            raise ImageError(
                f"None of the {many(count, 'photo')} in {images} can be read; the first:"
                f" {state.skipped[0][1]}"
            )
        common = {
            "model": loaded.name,
            "model_id": loaded.identity,
            "photos": listing,
            "recipe": recipe_text(recipe),
        }
        cutter = Cutter(
            loaded, source, fields(scanner.prepared(), names, field_share), crop, common
        )
        made = _cut(store, cutter, state, todo, samples, folder, stop)
    if state.skipped:
        rows = [
            common | {"photo": name, "reason": reason, "job": run} for name, reason in state.skipped
        ]
        rows = sealed(SKIPPED, rows)
        store.write(
            store.path("skipped", folder, f"part-{run}.parquet"),
            encode(SKIPPED, rows, [{"job": run, "rows": len(rows)}]),
        )
    seconds = time.perf_counter() - begun
    skipped = [{"photo": name, "reason": reason} for name, reason in state.skipped]
    details = {
        "photos": state.photos,
        "skipped": skipped,
        "units": total,
        "seconds": round(seconds, 3),
        "looking_seconds": round(looked, 3),
        "parts": made,
    }
    if made < len(todo):
        sentence = (
            f"{store.url}: stopped while cutting out; {made} of {many(len(todo), 'part')} are"
            " there, and the same command goes on from here."
        )
        return Report(sentence, details=details, stopped=True)
    _finish(store, folder, run)
    sentence = (
        f"{store.url}: the examples of {many(total, 'unit')} in {many(state.photos, 'photo')},"
        f" {duration(seconds)}"
    )
    sentence += (
        f"; {many(len(state.skipped), 'photo')} skipped, since unreadable" if state.skipped else ""
    )
    return Report(sentence + ".", skipped, details)


def _survey(source: Source) -> tuple[int, str]:
    """How many photos there are, and the hash of their list: names, sizes and labels."""
    found = hashlib.sha256()
    count = 0
    for entry in source.walk():
        found.update(
            f"{entry.name}\0{entry.size}\0{entry.label}\n".encode("utf-8", "surrogateescape")
        )
        count += 1
    return count, found.hexdigest()[:32]


def _shards(source: Source, done: set[int]) -> Iterator[Shard]:
    """The listing cut into shards, without those that are done."""
    entries = source.walk()
    number = 0
    while piece := tuple(islice(entries, SHARD)):
        if number not in done:
            yield Shard(number, piece)
        number += 1


def _announced(shards: Iterable[Shard], announce: Callable[[Shard], None]) -> Iterator[Shard]:
    """The shards, each handed out when the one after it has been announced."""
    held: Shard | None = None
    for shard in shards:
        if held is not None:
            announce(shard)
            yield held
        held = shard
    if held is not None:
        yield held


def _passed(
    store: Store,
    scanner: Scanner,
    source: Source,
    folder: str,
    run: str,
    count: int,
    runner: Any,
    options: dict[str, Any],
    stop: Stop,
) -> State:
    """The state after all photos; how far it has come is written after every shard."""
    path = store.path("partial", folder, f"run-{run}.parquet")
    stored = store.load(path)
    state = (State.from_bytes(stored) if stored else None) or State({}, scanner.hold)
    advance("atlas: photos", min(len(state.shards) * SHARD, count), count)
    items = stop.until(_announced(_shards(source, set(state.shards)), scanner.announce))
    for _, data in runner(scanner, items, data=True, **options):
        found = State.from_bytes(data)
        assert found is not None
        state.merge(found)
        if len(state.shards) * SHARD < count or count > SHARD:
            store.write(path, state.to_bytes(), lossy=True)
        advance("atlas: photos", min(len(state.shards) * SHARD, count), count)
    return state


def _cut(
    store: Store,
    cutter: Cutter,
    state: State,
    todo: list[Piece],
    samples: int,
    folder: str,
    stop: Stop,
) -> int:
    """Write the parts that are missing; how many were."""
    made = 0
    for group in _groups(todo, state, samples):
        found = [winner for piece in group for winner in winners(state, piece, samples)]
        photos = len({winner.photo for winner in found})
        for done, grouped in cutter.rows(state, found):
            advance("atlas: crops, by photo", done, photos)
            for piece, rows in grouped.items():
                part = encode(EXAMPLES, sealed(EXAMPLES, rows), [piece.to_json(len(rows))])
                store.write(
                    store.path("examples", folder, word(piece.layer), f"part-{piece.hash}.parquet"),
                    part,
                )
                made += 1
        if stop.asked:
            break
    return made


def _groups(todo: list[Piece], state: State, samples: int) -> Iterator[list[Piece]]:
    """The pieces in groups whose crops fit in memory."""
    group: list[Piece] = []
    size = 0
    for piece in todo:
        own = (piece.last - piece.first) * (state.layers[piece.layer].value.shape[1] + samples)
        if group and size + own > CROPS:
            yield group
            group, size = [], 0
        group.append(piece)
        size += own
    yield group


def _finish(store: Store, folder: str, run: str) -> None:
    """Nothing but the finished parts stays."""
    for table in ("examples", "skipped", "partial"):
        store.sweep(table)
    store.remove(store.path("partial", folder, f"run-{run}.parquet"))


def _estimate(scanner: Scanner, count: int, units: int, each: int) -> Report:
    """How long the pass takes, from one batch after a first one that is not counted."""
    entries = tuple(islice(scanner.source.walk(), scanner.batch))
    scanner.scan(Shard(0, entries))
    begun = time.perf_counter()
    scanner.scan(Shard(0, entries))
    rate = len(entries) / (time.perf_counter() - begun)
    size = units * each * 3500.0
    sentence = (
        f"{many(count, 'photo')}, {many(units, 'unit')}: about {duration(count / rate)} at"
        f" {rate:.1f} photos per second, at most {amount(size)}."
    )
    return Report(
        sentence,
        details={
            "photos": count,
            "units": units,
            "seconds": round(count / rate, 1),
            "rate": rate,
            "bytes": round(size),
        },
    )
