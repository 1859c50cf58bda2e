"""Activations laid out in a plane, alike beside alike, and put into a grid of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.core.extras import need
from convscope.core.quiet import without_warnings

NEIGHBORS = 15
"""UMAP's own number of neighbors, or as many as there are other photos."""

EDGE_PERCENT = 1.0
"""Per cent of the points at each side that are moved to the border: single ones far away would
leave no room for all others."""


@dataclass(frozen=True)
class Cell:
    """A place of the grid, how many activations are in it, and their mean."""

    row: int
    column: int
    count: int
    vector: NDArray[np.float32]


def umap_plane(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Each activation's place in the plane (n 2), in [0, 1], by UMAP on the cosine between them
    (McInnes et al., 2018)."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.maximum(lengths, 1e-12)
    # that few points are few, and what a fixed seed costs
    with without_warnings:
        layout = need("umap").UMAP(
            n_neighbors=min(NEIGHBORS, len(vectors) - 1),
            min_dist=0.01,
            init="pca",
            random_state=seed,
            n_jobs=1,
        )
        points = np.asarray(layout.fit_transform(directions), np.float32)
    low, high = np.percentile(points, [EDGE_PERCENT, 100 - EDGE_PERCENT], axis=0)
    return np.asarray(np.clip((points - low) / np.maximum(high - low, 1e-12), 0, 1), np.float32)


def grid_cells(
    vectors: NDArray[np.float32], points: NDArray[np.float32], grid: int, minimum: int
) -> list[Cell]:
    """The cells of a grid x grid that have at least `minimum` activations, row by row."""
    places = np.minimum((points * grid).astype(int), grid - 1)
    cells = []
    for row in range(grid):
        for column in range(grid):
            inside = (places[:, 1] == row) & (places[:, 0] == column)
            count = int(inside.sum())
            if count >= minimum:
                cells.append(Cell(row, column, count, vectors[inside].mean(0)))
    return cells
