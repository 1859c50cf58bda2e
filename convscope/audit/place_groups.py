"""Photos of one class whose heat stands at a place where other classes have none.

Clusters of whole heatmaps tell a tag only where it outshines the object, which stands elsewhere on
each photo. Place by place it shows: a class has more photos with heat there than chance gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convscope.audit.clustering import Assignment, Matrix

USUAL = 0.95
"""Heat at a place is high where it is above this quantile of the other classes' photos."""

SIGNIFICANCE = 1e-3
"""Of the most telling place, divided by the number of places and classes that were tried
(Bonferroni)."""

LEAST_FREE = 0.25
"""Share of a place that is beside the object, below which it says little."""

REACH = 0.5
"""A place reaches to where the heat above other photos' is this share of the largest."""


@dataclass(frozen=True)
class PlacedPhotos:
    """Photos (their indices among the explained) of one class with heat at the same cells."""

    members: Assignment
    cells: Assignment


def placed_photos(
    rows: Matrix,
    beside: Matrix,
    classes: Assignment,
    index: int,
    size: tuple[int, ...],
    least: int,
) -> PlacedPhotos | None:
    """The photos that are called `index` and have heat (n h*w, rows of length 1) at a place of
    their own, if there are `least` of them. `beside` is the same heat where it is not on the
    photo's object, as far as that is known: a photo whose object stands there is none of them.

    A place is there where Fisher's exact test, of how many photos have high heat at a cell, the
    class against all others, is significant. Its photos are those above the threshold that parts
    the class's photos best in two (Otsu, 1979). They then say how far the place reaches: to where
    their heat is above that of other photos by half as much as at most. With objects known, the
    heat beside them must be significant, too. Other photos have less heat there than evenly
    spread heat would be.
    """
    inside = np.flatnonzero((classes == index) & rows.any(1))
    outside = np.flatnonzero((classes != index) & rows.any(1))
    if len(inside) < least or len(outside) < least:
        return None
    chance, chance_beside = (_chance(heat, inside, outside) for heat in (rows, beside))
    tried = rows.shape[1] * len(np.unique(classes))
    # On the objects, or beside them, a class may have heat of a place by what it shows. Beside them
    # only places are tested that are significant on the whole: there is nothing to divide by.
    significant = (chance < SIGNIFICANCE / tried) & (chance_beside < SIGNIFICANCE)
    if not significant.any():
        return None
    strongest = int(np.where(significant, chance, 1).argmin())
    cells = _around(significant.reshape(size), strongest)
    members = _with_most_heat(rows, beside, inside, cells)
    # Where all photos of the class have the same heat, as copies of one photo, nothing parts them.
    if not len(members):
        return None
    excess = rows[members].mean(0) - rows[outside].mean(0)
    center = int(cells[excess[cells].argmax()])
    cells = _around((excess >= REACH * excess[center]).reshape(size), center)
    # Where other photos look, too, as at the middle, a place is no class's own.
    if rows[outside][:, cells].mean() >= 1 / np.sqrt(rows.shape[1]):
        return None
    members = _with_most_heat(rows, beside, inside, cells)
    return PlacedPhotos(members, cells) if len(members) >= least else None


def _chance(heat: Matrix, inside: Assignment, outside: Assignment) -> Matrix:
    """At each cell, how probable it is by chance that so many of the photos `inside` have high heat
    (Fisher's exact test)."""
    from scipy.stats import hypergeom

    usual = np.quantile(heat[outside], USUAL, axis=0)
    high = (heat[inside] > usual).sum(0)
    all_high = high + (heat[outside] > usual).sum(0)
    chance = hypergeom.sf(high - 1, len(inside) + len(outside), all_high, len(inside))
    return np.asarray(chance)


def _with_most_heat(
    rows: Matrix, beside: Matrix, inside: Assignment, cells: Assignment
) -> Assignment:
    """Those of the photos `inside` whose heat at the cells, as far as these are beside the object,
    is above the threshold. Where the object takes a part of the cells, it is made up for by the
    rest."""
    heat, free = rows[inside][:, cells], beside[inside][:, cells]
    share = np.divide(free, heat, out=np.ones_like(heat), where=heat > 0).mean(1)
    heat = free.sum(1) / np.maximum(share, LEAST_FREE)
    return np.asarray(inside[heat > _otsu(heat)])


def _around(is_part: Matrix, cell: int) -> Assignment:
    """The cells of an area that hang together with one of them."""
    from scipy.ndimage import label

    areas, _ = label(is_part, np.ones((3, 3)))
    return np.flatnonzero(areas.ravel() == areas.ravel()[cell])


def _otsu(values: Matrix) -> float:
    """The threshold between two groups of values whose means are the farthest apart, each weighed
    by its size."""
    ordered = np.sort(values)
    count = np.arange(1, len(ordered))
    low = np.cumsum(ordered)[:-1] / count
    high = (ordered.sum() - low * count) / (len(ordered) - count)
    at = int((count * (len(ordered) - count) * (high - low) ** 2).argmax())
    return float(ordered[at])
