from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from convscope.atlas.examples import check_batch
from convscope.atlas.render.layer_selection import select_layers
from convscope.atlas.render.map_cells import MapFacts, draw_cells
from convscope.atlas.scan import listing
from convscope.atlas.scan.listing import survey
from convscope.atlas.scan.projection import Cell, grid_cells, umap_plane
from convscope.atlas.scan.sampling import Sample, sample_photos
from convscope.atlas.scan.scanner import Scanner
from convscope.atlas.store.file_names import network_folder
from convscope.atlas.store.parts import digest
from convscope.atlas.store.store import Store
from convscope.atlas.store.summary import Summary
from convscope.core.interrupt import Stop, stopping
from convscope.core.quantities import format_duration, pluralize
from convscope.core.ranges import PositiveInt, Seed, Side, Steps
from convscope.core.validation import checked
from convscope.errors import ExtraError, ImageError, OptionError
from convscope.networks.load import ModelLike, load_model
from convscope.networks.torch_settings import plain_torch_settings
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.synthesis.settings import Settings

RECIPE_VERSION = 2
"""Goes up when the same map would come out differently."""

MIN_PHOTOS = 10
"""Photos below which there is nothing to lay out."""

MIN_UNITS = 2
"""Units below which activations have no direction."""


@dataclass(frozen=True)
class MapRecipe:
    """What a map depends on, beside the network, the layer, the photos and the seed."""

    grid: int
    minimum: int
    most: int
    power: float
    preset: str
    parts: Mapping[str, object]
    steps: int
    size: list[int]
    batch: int
    half: bool


@plain_torch_settings()
@checked("model")
def map(
    model: ModelLike,
    layer: str,
    images: str,
    out: str | Path,
    *,
    grid: PositiveInt = 12,
    minimum: PositiveInt = 3,
    most: PositiveInt = 20_000,
    power: float = 2.0,
    preset: str = "distill",
    steps: Steps | None = 64,
    size: Side | tuple[Side, Side] | None = 80,
    seed: Seed = 0,
    batch: PositiveInt = 16,
    half: bool = False,
) -> Summary:
    """An activation atlas: what a layer sees in all the photos, alike beside alike (Carter et al.,
    2019).

    One place of each photo is drawn and its activation kept; UMAP lays the activations out in a
    plane, a grid is put over it, and the mean direction of each cell is drawn by gradient ascent
    (dot x cosine^power). A cell names the classes whose scores rise most when the whole layer holds
    its mean activation rather than the mean of all. (The paper takes the score's linear part at
    each photo instead; running the rest of the network needs no second pass, and no assumption of
    linearity.) It is kept with the atlas, as one row a cell, and `export` makes a page of it that
    zooms. A map that was interrupted goes on where it was.

    Args:
        model: what `load_model` takes.
        layer: one layer; "head" is the layer of class scores.
        images: a folder, .parquet or .tar files (webdataset) or patterns of these, or hf:NAME or
            hf:NAME:SPLIT.
        out: a folder, or a URL that fsspec knows.
        grid: cells a side.
        minimum: activations that a cell must have to be drawn.
        most: activations that are kept, drawn by the photos' names; memory grows with them, not
            with the photos.
        power: of the cosine in the objective.
        preset: a published way of making pictures.
        steps: of each ascent; the preset's number where None.
        size: height and width of a cell's picture; the preset's where None.
        seed: of the places, of UMAP and of the pictures.
        batch: photos, or pictures, that run at once.
        half: compute in bfloat16.

    Raises:
        ImageError: there are too few photos that can be read.
        OptionError: no cell has `minimum` activations, the layer has one unit only, or a number is
            out of range.
        NumericError: activations that are NaN or infinite.
        ExtraError: umap-learn is not installed.

    Example:
        atlas.map(model, "blocks.4", "photos/", "atlas/")
        $ convscope atlas map --layer blocks.4 --images photos/ --out atlas/
    """
    if most < MIN_PHOTOS:
        raise OptionError(f"most must be {MIN_PHOTOS} or more; {most} was given.")
    check_batch(batch)
    settings = Settings(preset, "visualize", steps=steps, size=size)
    if find_spec("umap") is None:  # importing it takes seconds
        raise ExtraError("umap", "atlas")
    recipe = MapRecipe(
        grid,
        minimum,
        most,
        power,
        preset,
        settings.preset_parts,
        settings.steps,
        list(settings.size),
        batch,
        half,
    )
    loaded = load_model(model)
    source = source_of(images)
    with Probe(loaded) as probe:
        layer = _only(select_layers(loaded, probe.layers, layer), layer)
        units, depth = probe.layers[layer].units, probe.layers[layer].order
    if units < MIN_UNITS:
        raise OptionError(
            f"A map lays activations out by their direction; {layer!r} has one unit, so there is"
            " none. Name a layer with two units or more."
        )
    surveyed = survey(source)
    if surveyed.count < MIN_PHOTOS:
        raise ImageError(
            f"A map needs {MIN_PHOTOS} photos or more, and many more to say much; there are"
            f" {surveyed.count} in {images}."
        )
    facts = _facts(loaded.identity, layer, depth, surveyed.digest, recipe, seed)
    scanner = Scanner(loaded, [layer], source, k=1, reservoir=0, seed=seed, batch=batch, half=half)
    try:
        with stopping() as stop:
            store = Store(out, create=True)
            return _run(store, scanner, facts, recipe, settings, surveyed.count, images, stop)
    finally:
        scanner.close()


def _facts(
    identity: str, layer: str, depth: int, photos: str, recipe: MapRecipe, seed: int
) -> MapFacts:
    """What each cell of the map says of it; `photos` is the digest of their listing."""
    key = [identity, layer, photos, asdict(recipe), seed]
    return MapFacts(
        layer,
        depth,
        digest(["map", RECIPE_VERSION, *key])[:32],
        photos,
        json.dumps(asdict(recipe), sort_keys=True),
        RECIPE_VERSION,
        seed,
        recipe.grid,
        recipe.power,
        recipe.batch,
        recipe.half,
    )


def _only(names: Sequence[str], pattern: str) -> str:
    if len(names) != 1:
        raise OptionError(
            f"A map is of one layer; {pattern!r} fits {len(names)}: {', '.join(names[:5])}."
        )
    return names[0]


def _run(
    store: Store,
    scanner: Scanner,
    facts: MapFacts,
    recipe: MapRecipe,
    settings: Settings,
    num_photos: int,
    images: str,
    stop: Stop,
) -> Summary:
    """Sample the photos, lay the activations out and draw the cells."""
    started = time.perf_counter()
    model, photos = scanner.model, pluralize(num_photos, "photo")
    folder = network_folder(model.name, model.identity)
    progress = store.path("partial", folder, f"map-{facts.map}.npz")
    sample = sample_photos(store, progress, scanner, num_photos, recipe.most, stop)
    num_scanned = len(sample.shards) * listing.SHARD_SIZE
    if num_scanned < num_photos:
        sentence = f"{store.url}: stopped after {num_scanned:,} of {photos}; the same command goes"
        return Summary(sentence + " on from here.", stopped=True)
    if len(sample.vectors) < MIN_PHOTOS:
        raise ImageError(
            f"A map needs {MIN_PHOTOS} photos or more; of {photos} in {images} only"
            f" {len(sample.vectors)} can be read."
        )
    points = umap_plane(sample.vectors, facts.seed)
    cells = grid_cells(sample.vectors, points, facts.grid, recipe.minimum)
    if not cells:
        raise OptionError(
            f"No cell of {facts.grid} x {facts.grid} has {recipe.minimum} of"
            f" {len(sample.vectors)} activations; take a smaller grid= or minimum=."
        )
    num_drawn = draw_cells(store, folder, model, cells, sample.vectors, settings, facts, stop)
    is_finished = num_drawn == len(cells) or not stop.asked
    if is_finished:
        store.remove(progress)
    return _summarize(store.url, facts.layer, sample, cells, num_drawn, is_finished, started)


def _summarize(
    url: str,
    layer: str,
    sample: Sample,
    cells: list[Cell],
    num_drawn: int,
    is_finished: bool,
    started: float,
) -> Summary:
    details = {
        "photos": len(sample.vectors),
        "cells": len(cells),
        "made": num_drawn,
        "skipped": [name for name, _ in sample.skipped],
    }
    if not is_finished:
        sentence = f"{url}: stopped while drawing; the same command goes on from here."
        return Summary(sentence, details=details, stopped=True)
    seconds = format_duration(time.perf_counter() - started)
    sentence = (
        f"{url}: a map of {layer} with {pluralize(len(cells), 'cell')} from"
        f" {pluralize(len(sample.vectors), 'photo')}, {seconds}"
    )
    if sample.skipped:
        sentence += f"; {pluralize(len(sample.skipped), 'photo')} skipped, since unreadable"
    table = [{"row": cell.row, "column": cell.column, "activations": cell.count} for cell in cells]
    return Summary(sentence + ".", table, details)
