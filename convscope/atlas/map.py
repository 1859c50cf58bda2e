from __future__ import annotations

import json
import time
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.atlas.build import present
from convscope.atlas.examples import _announced, _shards, _survey
from convscope.atlas.render.layer_selection import choose
from convscope.atlas.render.renderer import picture
from convscope.atlas.scan.sampling import Sample, sample_shard
from convscope.atlas.scan.scanner import SHARD, Scanner
from convscope.atlas.store.store import Store, model_folder, word
from convscope.atlas.store.summary import Report, duration, many
from convscope.atlas.store.tables import MAPS, digest, encode, sealed, single
from convscope.core.extras import need
from convscope.core.interrupt import Stop, stopping
from convscope.core.progress import advance
from convscope.errors import ExtraError, ImageError, OptionError
from convscope.networks.load import load_model
from convscope.networks.model import Model
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from convscope.verbs._verb import ModelLike

RECIPE_VERSION = 2
"""Goes up when the same map would come out differently."""

NEIGHBORS = 15
"""UMAP's own number of neighbors, or as many as there are photos besides one."""

LEAST = 10
"""Photos below which there is nothing to lay out."""

EDGE = 1.0
"""Per cent of the points at each side that are moved to the border: single ones far away would
leave the rest no room."""

LABELS = 5
"""Classes that a cell names."""


def map(
    model: ModelLike,
    layer: str,
    images: str,
    out: str,
    *,
    grid: int = 12,
    minimum: int = 3,
    most: int = 20_000,
    power: float = 2.0,
    preset: str = "distill",
    steps: int | None = 64,
    size: int | tuple[int, int] | None = 80,
    seed: int = 0,
    batch: int = 16,
    half: bool = False,
) -> Report:
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
        OptionError: no cell has `minimum` activations, or a number is out of range.
        ExtraError: umap-learn is not installed.

    Example:
        atlas.map(model, "blocks.4", "photos/", "atlas/")
        $ convscope atlas map --layer blocks.4 --images photos/ --out atlas/
    """
    for name, value, least in (
        ("grid", grid, 1),
        ("minimum", minimum, 1),
        ("most", most, LEAST),
        ("batch", batch, 1),
    ):
        if value < least:
            raise OptionError(f"{name} must be {least} or more; {value} was given.")
    if SHARD % batch:
        raise OptionError(
            f"batch must divide {SHARD}, so that a shard is whole batches; {batch} was given."
        )
    settings = Settings(preset, "visualize", steps=steps, size=size)
    if find_spec("umap") is None:  # importing it takes seconds
        raise ExtraError("umap", "atlas")
    loaded = load_model(model)
    source = source_of(images)
    with Probe(loaded) as probe:
        names = choose(loaded, probe.layers, layer)
        if len(names) != 1:
            raise OptionError(
                f"A map is of one layer; {layer!r} fits {len(names)}: {', '.join(names[:5])}."
            )
        place = probe.layers[names[0]]
    count, listing = _survey(source)
    if count < LEAST:
        raise ImageError(
            f"A map needs {LEAST} photos or more, and many more to say much; there are {count} in"
            f" {images}."
        )
    recipe = {
        "grid": grid,
        "minimum": minimum,
        "most": most,
        "power": power,
        "preset": preset,
        "parts": settings.preset_parts,
        "steps": settings.steps,
        "size": list(settings.size),
        "batch": batch,
        "half": half,
    }
    run = digest(["map", RECIPE_VERSION, loaded.identity, names[0], listing, recipe, seed])[:32]
    store = Store(out, create=True)
    folder = model_folder(loaded.name, loaded.identity)
    scanner = Scanner(loaded, names, source, k=1, hold=0, seed=seed, batch=batch, half=half)
    begun = time.perf_counter()
    with stopping() as stop:
        sample = _sampled(store, scanner, names[0], place.units, folder, run, count, most, stop)
        if len(sample.shards) * SHARD < count:
            sentence = (
                f"{store.url}: stopped after {len(sample.shards) * SHARD:,} of"
                f" {many(count, 'photo')}; the same command goes on from here."
            )
            return Report(sentence, stopped=True)
        if len(sample.vectors) < LEAST:
            raise ImageError(
                f"A map needs {LEAST} photos or more; of {many(count, 'photo')} in {images} only"
                f" {len(sample.vectors)} can be read."
            )
        cells = _cells(sample.vectors, _plane(sample.vectors, seed), grid, minimum)
        if not cells:
            raise OptionError(
                f"No cell of {grid} x {grid} has {minimum} of {len(sample.vectors)} activations;"
                " take a smaller grid= or minimum=."
            )
        common = {
            "model": loaded.name,
            "model_id": loaded.identity,
            "layer": names[0],
            "depth": place.order,
            "map": run,
            "grid": grid,
            "photos": listing,
            "sampled": len(sample.vectors),
            "recipe": json.dumps(recipe, sort_keys=True),
            "seed": seed,
            "recipe_version": RECIPE_VERSION,
        }
        made = _drawn(
            store,
            folder,
            loaded,
            names[0],
            cells,
            sample.vectors.mean(0),
            settings,
            common,
            power,
            batch,
            half,
            stop,
        )
    details = {
        "photos": len(sample.vectors),
        "cells": len(cells),
        "made": made,
        "skipped": [name for name, _ in sample.skipped],
    }
    if stop.asked and made < len(cells):
        return Report(
            f"{store.url}: stopped while drawing; the same command goes on from here.",
            details=details,
            stopped=True,
        )
    store.remove(store.path("partial", folder, f"map-{run}.npz"))
    sentence = (
        f"{store.url}: a map of {names[0]} with {many(len(cells), 'cell')} from"
        f" {many(len(sample.vectors), 'photo')}"
    )
    sentence += f", {duration(time.perf_counter() - begun)}"
    sentence += (
        f"; {many(len(sample.skipped), 'photo')} skipped, since unreadable"
        if sample.skipped
        else ""
    )
    table = [{"row": cell.row, "column": cell.column, "activations": cell.count} for cell in cells]
    return Report(sentence + ".", table, details)


@dataclass(frozen=True)
class Cell:
    """A place of the grid with the mean of its activations."""

    row: int
    column: int
    count: int
    vector: NDArray[np.float32]


def _sampled(
    store: Store,
    scanner: Scanner,
    layer: str,
    channels: int,
    folder: str,
    run: str,
    count: int,
    most: int,
    stop: Stop,
) -> Sample:
    """The sample after all photos; how far it has come is written after every shard."""
    path = store.path("partial", folder, f"map-{run}.npz")
    stored = store.load(path)
    sample = (Sample.from_bytes(stored) if stored else None) or Sample.empty(channels)
    done = min(len(sample.shards) * SHARD, count)

    def seen(photos: int) -> None:
        nonlocal done
        done += photos
        advance("atlas: photos", min(done, count), count)

    advance("atlas: photos", done, count)
    for shard in stop.until(
        _announced(_shards(scanner.source, set(sample.shards)), scanner.announce)
    ):
        sample_shard(scanner, layer, shard, sample, most, seen)
        store.write(path, sample.to_bytes(), lossy=True)
    return sample


def _plane(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Each activation's place in the plane, in [0, 1], by UMAP on the cosine between them."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors / np.maximum(lengths, 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few points are few, and what a fixed seed costs
        layout = need("umap").UMAP(
            n_neighbors=min(NEIGHBORS, len(vectors) - 1),
            min_dist=0.01,
            init="pca",
            random_state=seed,
            n_jobs=1,
        )
        points = np.asarray(layout.fit_transform(alike), np.float32)
    low, high = np.percentile(points, [EDGE, 100 - EDGE], axis=0)
    return np.asarray(np.clip((points - low) / np.maximum(high - low, 1e-12), 0, 1), np.float32)


def _cells(
    vectors: NDArray[np.float32], points: NDArray[np.float32], grid: int, minimum: int
) -> list[Cell]:
    """The cells that have enough activations, row by row."""
    places = np.minimum((points * grid).astype(int), grid - 1)
    found = []
    for row in range(grid):
        for column in range(grid):
            inside = (places[:, 1] == row) & (places[:, 0] == column)
            if int(inside.sum()) >= minimum:
                found.append(Cell(row, column, int(inside.sum()), vectors[inside].mean(0)))
    return found


def _drawn(
    store: Store,
    folder: str,
    model: Model,
    layer: str,
    cells: list[Cell],
    mean: NDArray[np.float32],
    settings: Settings,
    common: dict[str, Any],
    power: float,
    batch: int,
    half: bool,
    stop: Stop,
) -> int:
    """Draw the cells that are missing, batch by batch; how many are there in the end."""
    there = present(store, "maps", folder)
    fast = inference_copy(model, [layer], half=half)
    labels = _labels(model, layer, cells, mean)
    done = 0
    for first in range(0, len(cells), batch):
        part = cells[first : first + batch]
        job = digest([common["map"], first])[:32]
        if job not in there:
            if stop.asked:
                return done
            wanted = [
                objective("direction", layer=layer, vector=cell.vector.tolist(), power=power)
                for cell in part
            ]
            streams = RandomStreams.of(
                common["seed"],
                [f"{common['map']} {cell.row} {cell.column}" for cell in part],
                model.device,
            )
            with Probe(fast) as probe:
                found = optimize(
                    probe,
                    wanted,
                    settings.parameterization(probe, len(part), streams),
                    streams,
                    settings.config,
                    task=f"map of {layer}",
                )
            images, scores = (
                settings.shown(found.image).float().cpu().numpy(),
                found.score[:, -1].float().cpu().tolist(),
            )
            rows = [
                common
                | {
                    "row": cell.row,
                    "column": cell.column,
                    "count": cell.count,
                    "labels": labels[first + place],
                    "job": job,
                }
                | {
                    "vector": [single(value) for value in cell.vector],
                    "image": {"bytes": picture(images[place]), "path": None},
                }
                | {"score": single(scores[place]), "dead": found.is_dead[place]}
                for place, cell in enumerate(part)
            ]
            data = encode(
                MAPS, sealed(MAPS, rows), [{"job": job, "layer": layer, "rows": len(rows)}]
            )
            store.write(store.path("maps", folder, word(layer), f"part-{job}.parquet"), data)
        done += len(part)
        advance("atlas: cells", done, len(cells))
    return done


def _labels(model: Model, layer: str, cells: list[Cell], mean: NDArray[np.float32]) -> list[str]:
    """Per cell, as JSON: the classes whose scores rise most when the whole layer holds its mean
    activation rather than that of all."""
    with Probe(model) as probe:
        rest = probe.partial_forward(model.gray_input(), layer)
        flat = torch.from_numpy(np.stack([mean, *(cell.vector for cell in cells)])).to(rest.maps)
        scores = []
        for part in torch.split(flat, 32):
            scores.append(
                rest.scores(
                    part[:, :, None, None].expand(-1, -1, *rest.maps.shape[2:]).contiguous()
                )
                .float()
                .cpu()
            )
        rises = torch.cat(scores)
    rises = rises[1:] - rises[0]
    best = rises.topk(min(LABELS, rises.shape[1]), dim=1)
    return [
        json.dumps(
            [
                [model.label(index), round(value, 4)]
                for index, value in zip(indices, values, strict=True)
            ],
            ensure_ascii=False,
        )
        for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
