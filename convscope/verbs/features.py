from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from convscope.concepts.pca import pca
from convscope.errors import LayerError, NumericError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.arrays import Array, to_numpy
from convscope.results.details import FeaturesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

BATCH = 32
"""Photos that run at once."""

NUM_COLORS = 3
"""Red, green and blue."""

NUM_BINS = 256
"""Of the histogram in which the threshold is searched."""

LOWEST, HIGHEST = 2.0, 98.0
"""Percentiles of a component that are drawn as 0 and 1."""


@verb
def features(
    model: Model, photo: PhotoLike, *, layer: str | None = None, foreground: bool = False
) -> Result:
    """Photos in the colors of their features: what a layer takes for alike has the same color, in
    all photos (as the figures of DINOv2; Oquab et al., 2023).

    The activations of all places of all photos are centered and projected on their first three
    principal components; each, from its 2nd to its 98th percentile, is one of red, green and blue.
    `result["component"]` (n 3 h w) are the projections, `result["color"]` (n 3 h w) the same in
    [0, 1], `result["direction"]` (3 c) the components, of length 1, the largest entry of each
    positive, and `result["offset"]` (c) the mean. `result.table` has each component's share of the
    variance. With `foreground`, the places whose first component is on the other side of its
    threshold (Otsu, 1979) than most of the photos' borders are `result["foreground"]` (n h w, 0 or
    1); the components and colors are computed anew from them alone, and the others are black.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        layer: the layer; by default the last one whose output still has places.
        foreground: leave the background out.

    Raises:
        LayerError: no such layer, or one with fewer than three channels or without places.
        NumericError: fewer than four places, or activations that are the same everywhere.

    Example:
        convscope.features(model, ["cat.jpg", "dog.jpg"], layer="blocks.4")
        $ convscope features cat.jpg dog.jpg --layer blocks.4 --out features.png
    """
    image = network_input(model, photo)
    with Probe(model) as probe:
        name = _layer(probe, layer)
        batches = torch.split(image, BATCH)
        maps = torch.cat([probe.activations(batch, [name])[name].float() for batch in batches])
    rows = to_numpy(maps.permute(0, 2, 3, 1).flatten(0, 2))
    shape = (len(maps), *maps.shape[-2:])
    kept = np.ones(len(rows), bool)
    if foreground:
        kept = _foreground(_first_component(rows), shape)
    arrays = _colored(rows, kept, shape)
    if foreground:
        arrays["foreground"] = kept.reshape(shape).astype(np.float32)
    shares = arrays.pop("share")
    table: list[Row] = [
        {"component": index, "share": round(float(share), 4)} for index, share in enumerate(shares)
    ]
    boxes = [model.preprocessing.box(*image.shape[-2:]) for image in photo]
    details = FeaturesDetails(layer=name, boxes=boxes)
    return Result("features", details, arrays, table, bytes_of(photo))


def _layer(probe: Probe, layer: str | None) -> str:
    """The layer, which must have places and three channels."""
    name = layer or probe.layers.last_spatial()
    if name is None or not probe.layers[name].spatial:
        raise LayerError(
            f"Colors need a layer with places; {name or probe.model.name!r} has none. Name one"
            " with layer=."
        )
    if probe.layers[name].units < NUM_COLORS:
        raise LayerError(
            f"Three colors need three channels; {name!r} has {probe.layers[name].units}."
        )
    return name


def _first_component(rows: Array) -> Array:
    """The projection of each row on the first principal component."""
    coefficients: Array = pca(_varied(rows), 1).coefficients[:, 0]
    return coefficients


def _varied(rows: Array) -> Array:
    """The rows, where they can be told apart.

    Raises:
        NumericError: they cannot.
    """
    if not np.isfinite(rows).all():
        raise NumericError("The layer's activations are NaN or infinite, so they have no colors.")
    if len(rows) <= NUM_COLORS or not np.ptp(rows, axis=0).any():
        raise NumericError(
            f"Colors need {NUM_COLORS + 1} or more places that differ; the layer has {len(rows)}"
            " place(s) on these photos, or the same activations at all of them."
        )
    return rows


def _foreground(component: Array, shape: tuple[int, int, int]) -> Array:
    """Which places are on the other side of Otsu's threshold than most of the borders."""
    from skimage.filters import threshold_otsu

    # scikit-image gives the middle of the histogram's bin that is the last one below.
    threshold = threshold_otsu(component, nbins=NUM_BINS) + np.ptp(component) / NUM_BINS / 2
    above = component > threshold
    maps = above.reshape(shape)
    edges = [maps[:, 0], maps[:, -1], maps[:, :, 0], maps[:, :, -1]]
    border = np.concatenate([edge.ravel() for edge in edges])
    foreground: Array = ~above if border.mean() > 0.5 else above
    return foreground


def _colored(rows: Array, kept: Array, shape: tuple[int, int, int]) -> dict[str, Array]:
    """Components and colors of all places, from the variation among those that are kept."""
    inside = _varied(rows[kept])
    factors = pca(inside, NUM_COLORS)
    component = (rows - factors.offset) @ factors.directions.T
    low, high = np.percentile(component[kept], (LOWEST, HIGHEST), axis=0)
    color = np.clip((component - low) / np.maximum(high - low, 1e-12), 0, 1) * kept[:, None]
    variance = np.asarray(inside, np.float64).var(0).sum()
    return {
        "component": _maps(component, shape),
        "color": _maps(color, shape),
        "direction": factors.directions,
        "offset": factors.offset,
        "share": np.asarray(factors.coefficients, np.float64).var(0) / variance,
    }


def _maps(values: npt.ArrayLike, shape: tuple[int, int, int]) -> Array:
    """A row for each place (n*h*w 3) as maps (n 3 h w)."""
    rows = np.asarray(values, np.float32).reshape(*shape, NUM_COLORS)
    return np.ascontiguousarray(rows.transpose(0, 3, 1, 2))
