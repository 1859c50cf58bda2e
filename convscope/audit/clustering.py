"""Spectral clustering of heatmaps, with the number of clusters read from the eigengap (SpRAy,
Lapuschkin et al., 2019; von Luxburg, 2007)."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Assignment = NDArray[np.int64]

MOST_CLUSTERS = 8
"""Clusters that are looked for in one class at most."""

MOST_PHOTOS = 1000
"""Photos of a class that are clustered at most: the eigenvectors take time with their cube."""

ITERATIONS = 50
"""Of k-means."""


def unit_rows(rows: Matrix) -> Matrix:
    """Rows scaled to length 1; empty ones stay empty."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12))


def partitions(rows: Matrix, seed: int) -> list[Assignment]:
    """Ways to cluster rows of length 1 (n d -> n each): the one that the eigengap names first, then
    those with another number of clusters.

    The graph joins each row to its nearest ones, by cosine; the rows of the smallest eigenvectors
    of its normalized Laplacian are clustered by k-means (Ng et al., 2001).
    """
    from scipy.linalg import eigh

    count = len(rows)
    most = min(MOST_CLUSTERS, count // 4)
    if most < 2:
        return [np.zeros(count, np.int64)]
    neighbors = min(count - 1, int(np.log2(count)) + 2)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :neighbors]
    adjacency = np.zeros((count, count))
    adjacency[np.repeat(np.arange(count), neighbors), nearest.ravel()] = 1
    adjacency = np.maximum(adjacency, adjacency.T)
    scale = 1 / np.sqrt(adjacency.sum(1))
    laplacian = np.eye(count) - adjacency * scale[:, None] * scale
    values, vectors = eigh(laplacian, subset_by_index=(0, most))
    best = int(np.diff(values).argmax()) + 1
    sizes = [best, *(size for size in range(1, most + 1) if size != best)]
    return [_k_means(vectors[:, :size], size, seed) for size in sizes]


def _k_means(vectors: Matrix, count: int, seed: int) -> Assignment:
    from scipy.cluster.vq import kmeans2

    if count == 1:
        return np.zeros(len(vectors), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a cluster is empty: it is left out
        _, assignment = kmeans2(
            unit_rows(vectors), count, minit="++", iter=ITERATIONS, seed=np.random.default_rng(seed)
        )
    return np.asarray(assignment, np.int64)
