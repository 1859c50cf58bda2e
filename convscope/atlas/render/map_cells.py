"""The cells of an activation atlas: a picture of each cell's mean direction, and the classes it
speaks for."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.atlas.render.renderer import encode_png
from convscope.atlas.scan.projection import Cell
from convscope.atlas.store.file_names import folder_name
from convscope.atlas.store.parts import digest, encode_rows, float32
from convscope.atlas.store.rows import CellColumns, JobEntry
from convscope.atlas.store.store import Store
from convscope.atlas.store.superseded import remove_superseded
from convscope.atlas.store.tables import MAPS
from convscope.core.interrupt import Stop
from convscope.core.progress import advance
from convscope.errors import ModelError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings

LABELS_PER_CELL = 5
"""Classes that a cell names."""

CLASSES_BATCH = 32
"""Cells whose classes are worked out together."""


@dataclass(frozen=True)
class MapFacts:
    """What all cells of one map have in common; `map` is its hash."""

    layer: str
    depth: int
    map: str
    photos: str
    recipe: str
    recipe_version: int
    seed: int
    grid: int
    power: float
    batch: int
    half: bool


@dataclass(frozen=True)
class CellBatch:
    """Cells that are drawn together, what each says as JSON, and how many activations the map
    has."""

    job: str
    cells: list[Cell]
    labels: list[str]
    sampled: int


def draw_cells(
    store: Store,
    folder: str,
    model: Model,
    cells: list[Cell],
    vectors: NDArray[np.float32],
    settings: Settings,
    facts: MapFacts,
    stop: Stop,
) -> int:
    """Draw the cells that are missing, batch by batch; how many are there in the end. `vectors` are
    all activations of the map."""
    finished = store.finished_jobs("maps", folder)
    prepared = inference_copy(model, [facts.layer], half=facts.half)
    labels = _labels(model, facts.layer, cells, vectors.mean(0))
    done = 0
    jobs = []
    # The same map under other labels is written anew; without labels a job is called as ever.
    named_by = [list(model.labels)] if model.labels else []
    for first in range(0, len(cells), facts.batch):
        last = min(first + facts.batch, len(cells))
        job = digest([facts.map, first, *named_by])[:32]
        jobs.append(job)
        if job not in finished:
            if stop.asked:
                return done
            batch = CellBatch(job, cells[first:last], labels[first:last], len(vectors))
            rows = _rows(model, prepared, batch, settings, facts)
            entry: JobEntry = {"job": job, "layer": facts.layer, "rows": len(rows)}
            path = store.path("maps", folder, folder_name(facts.layer), f"part-{job}.parquet")
            store.write(path, encode_rows(MAPS, rows, [entry]))
        done = last
        advance("atlas: cells", done, len(cells))
    remove_superseded(store, MAPS, posixpath.join(folder, folder_name(facts.layer)), jobs)
    return done


def _rows(
    model: Model, prepared: Model, batch: CellBatch, settings: Settings, facts: MapFacts
) -> list[CellColumns]:
    """Optimize the pictures of a batch of cells; their rows."""
    cells = batch.cells
    objectives = [
        objective("direction", layer=facts.layer, vector=cell.vector.tolist(), power=facts.power)
        for cell in cells
    ]
    keys = [f"{facts.map} {cell.row} {cell.column}" for cell in cells]
    streams = RandomStreams.of(facts.seed, keys, model.device)
    task = f"map of {facts.layer}"
    with Probe(prepared) as probe:
        parameterization = settings.parameterization(probe, len(cells), streams)
        result = optimize(probe, objectives, parameterization, streams, settings.config, task=task)
    images = settings.shown(result.image).float().cpu().numpy()
    scores = result.score[:, -1].float().cpu().tolist()
    return [
        {
            "model": model.name,
            "model_id": model.identity,
            "layer": facts.layer,
            "depth": facts.depth,
            "map": facts.map,
            "grid": facts.grid,
            "row": cell.row,
            "column": cell.column,
            "count": cell.count,
            "labels": batch.labels[place],
            "vector": [float32(value) for value in cell.vector],
            "image": {"bytes": encode_png(images[place]), "path": None},
            "score": float32(scores[place]),
            "dead": result.is_dead[place],
            "photos": facts.photos,
            "sampled": batch.sampled,
            "recipe": facts.recipe,
            "seed": facts.seed,
            "recipe_version": facts.recipe_version,
            "job": batch.job,
        }
        for place, cell in enumerate(cells)
    ]


def _has_scores(model: Model) -> bool:
    try:
        return model.classes > 0
    except ModelError:
        return False


def _labels(model: Model, layer: str, cells: list[Cell], mean: NDArray[np.float32]) -> list[str]:
    """Per cell, as JSON: the classes whose scores rise most when the whole layer holds the cell's
    mean activation rather than that of all cells; none where the network gives no scores."""
    if not _has_scores(model):
        return ["[]"] * len(cells)
    vectors = torch.from_numpy(np.stack([mean, *(cell.vector for cell in cells)]))
    with Probe(model) as probe:
        partial = probe.partial_forward(model.gray_input(), layer)
        shape = partial.maps.shape[2:]
        scores = [
            partial.scores(batch[:, :, None, None].expand(-1, -1, *shape).contiguous()).cpu()
            for batch in torch.split(vectors.to(partial.maps), CLASSES_BATCH)
        ]
    all_scores = torch.cat(scores).float()
    rises = all_scores[1:] - all_scores[0]
    best = rises.topk(min(LABELS_PER_CELL, rises.shape[1]), dim=1)
    return [
        json.dumps(
            [
                (model.label(index), round(value, 4))
                for index, value in zip(indices, values, strict=True)
            ],
            ensure_ascii=False,
        )
        for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
