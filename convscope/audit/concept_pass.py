"""What the explained photos' activations are made of, and which of it speaks for the mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from convscope.audit.explainer import PHOTOS_PER_JOB, ExplainedPhoto, Explainer
from convscope.concepts import registry
from convscope.concepts.factors import Factors
from convscope.core.types import JsonObject
from convscope.errors import ExtraError, NumericError
from convscope.results.arrays import Array, to_numpy

COUNT = 10
"""Concepts at most: as many as a person keeps in mind for one network."""

MOST_PHOTOS = 64
"""Photos that concepts are learned from."""

MOST_MISTAKES = 32
"""Of these, the worst mistakes that are shown; the others are spread over all that are
explained."""

MOST_CELLS = 14
"""Rows and columns of a map, which is averaged down to no more: the time of the factorization goes
with the number of places."""


@dataclass(frozen=True)
class LearnedConcepts:
    """Rows of the tables of concepts and of their maps; `reason` says why there are none."""

    concepts: list[JsonObject]
    maps: list[JsonObject]
    reason: str | None = None


def chosen_for_concepts(
    photos: Sequence[ExplainedPhoto], worst: int
) -> tuple[list[ExplainedPhoto], int]:
    """The photos that concepts are learned from, the shown mistakes first, and how many those
    are; `photos` have the worst mistakes first."""
    mistakes = [photo for photo in photos if photo.is_mistake][: min(worst, MOST_MISTAKES)]
    numbers = {photo.number for photo in mistakes}
    others = [photo for photo in photos if photo.number not in numbers]
    left = min(len(others), MOST_PHOTOS - len(mistakes))
    places = np.linspace(0, max(len(others) - 1, 0), left).round().astype(int)
    return mistakes + [others[place] for place in places], len(mistakes)


def learn_concepts(
    explainer: Explainer, photos: Sequence[ExplainedPhoto], num_mistakes: int, seed: int
) -> LearnedConcepts:
    """Directions of the layer that the photos' activations are sums of, by non-negative matrix
    factorization (semi-NMF where the layer is signed); where each is on each photo, and, of the
    mistakes, which are the first photos, what it adds to the answer's score minus the label's: to
    first order, the sum over places of its coefficient times the derivative along it.

    Raises:
        NumericError: NaN or infinity in the activations.
    """
    if not num_mistakes:
        return LearnedConcepts([], [], "There are no mistakes.")
    if len(photos) < COUNT:
        reason = (
            f"Concepts are learned from {COUNT} photos or more, and {len(photos)} are explained."
        )
        return LearnedConcepts([], [], reason)
    maps, gradient = _maps_and_gradients(explainer, photos, num_mistakes)
    try:
        factors = _factors(maps, seed)
    except ExtraError as error:
        return LearnedConcepts([], [], f"There are no concepts. {error}")
    if factors is None:
        reason = f"{explainer.layer} is silent on these photos, so they have no concepts."
        return LearnedConcepts([], [], reason)
    num_photos, _, height, width = maps.shape
    coefficients = factors.coefficients.reshape(num_photos, height, width, -1)
    along = np.einsum("nchw,kc->nhwk", to_numpy(gradient), factors.directions)
    contributions = (coefficients[:num_mistakes] * along).sum((1, 2))
    return LearnedConcepts(
        [
            {"concept": index, "direction": direction.tolist()}
            for index, direction in enumerate(factors.directions)
        ],
        [
            _map_row(photo, index, coefficients[at, :, :, index])
            | {"contribution": float(contributions[at, index]) if at < num_mistakes else None}
            for at, photo in enumerate(photos)
            for index in range(len(factors.directions))
        ],
    )


def _map_row(photo: ExplainedPhoto, index: int, heat: Array) -> JsonObject:
    return {
        "number": photo.number,
        "photo": photo.entry.name,
        "concept": index,
        "rows": heat.shape[0],
        "columns": heat.shape[1],
        "heat": heat.ravel().tolist(),
    }


def _maps_and_gradients(
    explainer: Explainer, photos: Sequence[ExplainedPhoto], num_mistakes: int
) -> tuple[Tensor, Tensor]:
    """What the layer gives for the photos (n c h w), and the gradient of the answer's score minus
    the label's of the mistakes (m c h w)."""
    maps, gradients = [], []
    for is_wrong, part in ((True, photos[:num_mistakes]), (False, photos[num_mistakes:])):
        for first in range(0, len(part), PHOTOS_PER_JOB):
            activation, gradient = explainer.activations(part[first : first + PHOTOS_PER_JOB])
            side = math.ceil(max(activation.shape[-2:]) / MOST_CELLS)
            maps.append(avg_pool2d(activation.float(), side, ceil_mode=True).cpu())
            if is_wrong:
                # A cell's derivative is the sum over its places.
                total = avg_pool2d(gradient.float(), side, ceil_mode=True, divisor_override=1)
                gradients.append(total.cpu())
    every = torch.cat(maps)
    if not bool(torch.isfinite(every).all()):
        raise NumericError(f"The activations of {explainer.layer} are NaN or infinite on a photo.")
    return every, torch.cat(gradients)


def _factors(maps: Tensor, seed: int) -> Factors | None:
    """The activations as concepts; None where the layer is silent."""
    rows = to_numpy(maps.permute(0, 2, 3, 1).flatten(0, 2))
    if not rows.any():
        return None
    method = "nmf" if rows.min() >= 0 else "semi_nmf"
    factors: Factors = registry.get(method)(rows, min(COUNT, rows.shape[1]), seed=seed)
    return factors
