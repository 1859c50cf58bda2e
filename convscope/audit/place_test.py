"""What answers do without the place that a group looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from convscope.atlas.scan.read_ahead import read_photo
from convscope.audit.explainer import ExplainedPhoto
from convscope.audit.reasons import Group
from convscope.audit.removal import fill
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy

MOST_PHOTOS = 24
"""Photos of a group, and others, that are asked again."""

HALF = 0.5
"""A place is where the group's heat is above this share of its maximum."""


class Effect(NamedTuple):
    """Share of answers that change, and the mean fall of their probability."""

    changed: float
    drop: float


def without_place(
    model: Model, source: PhotoSource, photos: Sequence[ExplainedPhoto], group: Group, seed: int
) -> Group:
    """The group with the effect of its place: how many answers change when it is filled with what
    is around it, and how far the answers' probabilities fall, beside those of other photos."""
    generator = np.random.default_rng(seed)
    others = np.setdiff1d(np.arange(len(photos)), group.places)
    inside = generator.permutation(group.places)[:MOST_PHOTOS]
    outside = generator.permutation(others)[:MOST_PHOTOS]
    hole = _hole(group, model)
    changed, drop = _effect_of_filling(model, source, [photos[place] for place in inside], hole)
    _, drop_elsewhere = _effect_of_filling(
        model, source, [photos[place] for place in outside], hole
    )
    return replace(group, changed=changed, drop=drop, drop_elsewhere=drop_elsewhere)


def _hole(group: Group, model: Model) -> Tensor:
    """The group's place at the network's size (1 1 h w)."""
    heat = torch.from_numpy(group.heat).float()[None, None]
    wide = interpolate(heat, model.size, mode="bilinear")
    return (wide > HALF * wide.max()).float()


def _effect_of_filling(
    model: Model, source: PhotoSource, photos: Sequence[ExplainedPhoto], hole: Tensor
) -> Effect:
    """What filling the hole (1 1 h w) changes; 0 for no photos."""
    if not photos:
        return Effect(0.0, 0.0)
    prepared = inference_copy(model)
    image = torch.cat([model.fit(read_photo(source, photo.entry)) for photo in photos])
    filled = fill(image, hole.to(image.device).expand(len(image), -1, -1, -1))
    with Probe(prepared) as probe:
        before, after = (
            model.probabilities(probe.scores(prepared.preprocess(part))).cpu()
            for part in (image, filled)
        )
    answers = torch.tensor([photo.predicted for photo in photos])[:, None]
    fall = (before.gather(1, answers) - after.gather(1, answers)).mean()
    return Effect(float((after.argmax(1) != answers[:, 0]).float().mean()), float(fall))
