from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from convscope.concepts import Factors, Floats, registry
from convscope.concepts.sobol import total_sobol_indices
from convscope.core.progress import track
from convscope.core.ranges import PositiveInt, Seed
from convscope.errors import LayerError, NumericError, OptionError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.partial_forward import PartialForward
from convscope.questions.target import Target, TargetLike
from convscope.results.arrays import Array, to_numpy
from convscope.results.details import AttributionDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.verbs._verb import PhotoLike, bytes_of, network_input, verb

BATCH = 32
"""Photos, or changed activations, that run at once."""

DESIGNS = 32
"""Points of the Sobol sequence that importance is measured with, as in CRAFT's own code."""


@verb
def concepts(
    model: Model,
    photos: PhotoLike,
    *,
    layer: str | None = None,
    method: Literal["nmf", "pca", "semi_nmf"] = "nmf",
    count: PositiveInt = 10,
    target: TargetLike = None,
    importance: bool = False,
    seed: Seed = 0,
) -> Result:
    """What a layer's activations on photos are made of: `count` directions, where each fires, and
    how much it matters for a class.

    `result["directions"]` is k c, `result["offset"]` c, `result["coefficients"]` n k h w: their
    product is close to the activations (for nmf, to their positive part: take semi_nmf or pca where
    a layer is signed). `result["heatmap"]` (k h w) is each concept on the photo
    that it fires most on. `result["error"]` is the relative error of the reconstruction and
    `result["kept"]` the share of top predictions that stay when the layer is replaced by it (one
    number each). `result.table` has a row per concept: its share of the explained energy, its best
    photo, its highest value, and with `importance` its total Sobol index on the target's score,
    averaged over the photos (CRAFT, Fel et al., 2023).

    Saved as NAME.safetensors, a concept is a unit: `concept:NAME/3` can be drawn by `visualize` and
    asked about by `explain`.

    Args:
        model: what `load_model` takes.
        photos: a path, PIL image, array or tensor, or a list of these; the more, the better.
        layer: the layer; by default the last one whose output still has places.
        method: how the activations are taken apart.
        count: how many concepts.
        target: of the importance: a class; by default each photo's top prediction.
        importance: measure it; this runs the rest of the network many times for each photo.
        seed: of the method, and of the Sobol sequence.

    Raises:
        OptionError: more concepts than channels or places.
        LayerError: no such layer, or none with places.

    Example:
        convscope.concepts(model, ["cat.jpg", "dog.jpg"], layer="blocks.5", count=10)
        $ convscope concepts cat.jpg dog.jpg --layer blocks.5 --count 10 --out concepts.png
        $ convscope concepts cat.jpg dog.jpg --layer blocks.5 --out pets.safetensors
    """
    image = network_input(model, photos)
    with Probe(model) as probe:
        name = layer or probe.layers.last_spatial()
        if name is None:
            raise LayerError(f"{model.name} has no layer with places; name one with layer=.")
        batches = torch.split(image, BATCH)
        maps = torch.cat([probe.activations(batch, [name])[name] for batch in batches])
        factors = _factorize(maps, method, count, seed)
        reconstruction = _maps(factors.reconstruction, maps)
        coefficients = _maps(factors.coefficients, maps)
        indices, kept = _measure(
            probe, image, name, reconstruction, target, factors, coefficients, importance, seed
        )
    rows = _rows(factors, coefficients, indices)
    best = [int(coefficients[:, index].amax((1, 2)).argmax()) for index in range(count)]
    activation = _positions(maps, method)
    details = AttributionDetails(
        titles=[f"concept {index}: {rows[index]['share']:.0%}" for index in range(count)],
        photo_of=best,
        boxes=[model.preprocessing.box(*photos[place].shape[-2:]) for place in best],
        targets=[None] * count,
        method=method,
        space="layer",
        signed=bool((factors.coefficients < 0).any()),
        layer=name,
    )
    error = np.linalg.norm(activation - factors.reconstruction) / np.linalg.norm(activation)
    arrays: dict[str, Array] = {
        "heatmap": to_numpy(torch.stack([coefficients[at, k] for k, at in enumerate(best)])),
        "directions": factors.directions,
        "offset": factors.offset,
        "coefficients": to_numpy(coefficients),
        "error": np.array([error], np.float32),
        "kept": np.array([kept], np.float32),
    }
    return Result("concepts", details, arrays, rows, bytes_of(photos))


def _factorize(maps: Tensor, method: str, count: int, seed: int) -> Factors:
    activation = _positions(maps, method)
    if not np.isfinite(activation).all():
        raise NumericError("The layer's activations are NaN or infinite, so they have no concepts.")
    if not activation.any():
        raise NumericError("The layer is silent on these photos, so it has no concepts there.")
    places, channels = activation.shape
    if count > min(places, channels):
        raise OptionError(
            f"{count} concepts were asked for, but there are {channels} channels and {places}"
            " places; ask for fewer, or give more photos."
        )
    factors: Factors = registry.get(method)(activation, count, seed=seed)
    return factors


def _positions(maps: Tensor, method: str) -> Floats:
    """Maps (n c h w) as a row for each place (n*h*w c), as the method reads them."""
    rows = to_numpy(maps.permute(0, 2, 3, 1).flatten(0, 2))
    return np.maximum(rows, 0) if registry.traits(method).clips else rows


def _maps(rows: Floats, like: Tensor) -> Tensor:
    """A row for each place (n*h*w k) as maps (n k h w)."""
    count, _, height, width = like.shape
    maps = torch.from_numpy(rows).reshape(count, height, width, -1).permute(0, 3, 1, 2)
    return maps.contiguous().to(like.device)


def _measure(
    probe: Probe,
    image: Tensor,
    layer: str,
    reconstruction: Tensor,
    target: TargetLike,
    factors: Factors,
    coefficients: Tensor,
    importance: bool,
    seed: int,
) -> tuple[Floats | None, float]:
    """The concepts' importance where it is asked for, and the share of top predictions kept."""
    kept = 0
    indices: list[Floats] = []
    asked = Target.of(probe.model, target)
    for at in track(range(len(image)), "photos", len(image)):
        partial = probe.partial_forward(image[at : at + 1], layer)
        scores = probe.model.scores(partial.output)
        replaced = partial.scores(reconstruction[at : at + 1])
        kept += int(replaced[0].argmax() == scores[0].argmax())
        if importance:
            choice = asked.at(at).resolved(partial.output)
            indices.append(_importance(partial, choice, factors, coefficients[at], seed))
    mean = np.asarray(np.mean(indices, 0), np.float32) if indices else None
    return mean, kept / len(image)


def _importance(
    partial: PartialForward, target: Target, factors: Factors, coefficients: Tensor, seed: int
) -> Floats:
    """Total Sobol indices of the concepts (k) on one photo's score: each concept is turned down by
    a factor in [0, 1], and the rest of the network runs on what is left."""
    directions = torch.from_numpy(factors.directions).to(coefficients.device)
    offset = torch.from_numpy(factors.offset).to(coefficients.device)[:, None, None]

    def score(masks: Floats) -> Floats:
        scores = []
        parts = torch.split(torch.from_numpy(masks).to(coefficients.device), BATCH)
        for part in track(parts, "importance", len(parts)):
            maps = torch.einsum("mk,khw,kc->mchw", part, coefficients, directions) + offset
            scores.append(target.expand(len(part))(partial(maps)))
        return to_numpy(torch.cat(scores))

    return total_sobol_indices(score, len(directions), designs=DESIGNS, seed=seed)


def _rows(factors: Factors, coefficients: Tensor, indices: Floats | None) -> list[Row]:
    energy = (factors.coefficients**2).sum(0) * (factors.directions**2).sum(1)
    shares = energy / max(float(energy.sum()), 1e-12)
    rows: list[Row] = []
    for index, share in enumerate(shares.tolist()):
        highest = coefficients[:, index].amax((1, 2))
        best = int(highest.argmax())
        row: Row = {
            "concept": index,
            "share": round(share, 4),
            "photo": best,
            "value": float(highest[best]),
        }
        rows.append(row if indices is None else row | {"importance": float(indices[index])})
    return rows
