"""Tuning curves: every unit of some layers is shown the stimuli, and its responses are measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.atlas.unit_cards.stimuli import registry
from convscope.atlas.unit_cards.stimuli.stimulus_kind import (
    Combination,
    Floats,
    Stimuli,
    StimulusKind,
    selectivity,
)
from convscope.core.progress import advance
from convscope.networks.model import Model
from convscope.probe import Probe

IMAGES_AT_ONCE = 16

FAINT = 1e-6
"""A response below this share of the largest activation on the background is rounding."""


@dataclass(frozen=True)
class TuningCurve:
    """How a unit responds to one kind of stimulus: the curve (activation above that on the
    background, zero or more), the names of its points and what they are measured in, the preferred
    value as numbers and in words, its selectivity (0 to 1), the highest response, and the unit's
    mean activation on the background (None in cards of earlier versions)."""

    kind: str
    scale: str
    points: tuple[str, ...]
    curve: tuple[float, ...]
    preferred: tuple[float, ...]
    text: str
    selectivity: float
    peak: float
    background: float | None = None


class Responses:
    """What every unit of some layers does when it is shown the stimuli."""

    def __init__(self, kinds: Mapping[str, StimulusKind]) -> None:
        self.kinds = kinds
        self._measured: dict[tuple[str, str], tuple[Floats, Floats]] = {}

    def add(self, layer: str, stimuli: str, responses: Floats, background: Floats) -> None:
        """Take in the responses of a layer's units (conditions units), and their mean activation on
        the background (units)."""
        self._measured[layer, stimuli] = responses, background

    def curves(self, layer: str, unit: int) -> list[TuningCurve]:
        """The tuning curves of a unit, one for each kind of stimulus."""
        curves = []
        for name, kind in self.kinds.items():
            responses, background = self._measured[layer, kind.stimuli.name]
            tuning = kind.tune(responses[:, unit])
            curves.append(
                TuningCurve(
                    name,
                    kind.scale,
                    kind.points,
                    tuple(tuning.curve.tolist()),
                    tuning.preferred,
                    tuning.text,
                    selectivity(tuning.curve),
                    float(tuning.curve.max()),
                    float(background[unit]),
                )
            )
        return curves


def measure_tuning(model: Model, layers: Sequence[str]) -> Responses:
    """Show all stimuli to a network and measure the units of some layers.

    A unit's response to an image is the largest difference, over all places, between its map and
    its map on the plain background; negative ones are zero. For a grating it is the larger of the
    mean and of the first harmonic's amplitude over four phases (Skottun et al., 1991), so that
    neither where a place lies nor a ReLU matters. A network that sees gray is shown no colors.

    Raises:
        ImageError: a network that takes no images in color or gray.
    """
    kinds = {
        name: registry.get(name)(model.size)
        for name in registry
        if model.channels >= 3 or not registry.traits(name).needs_color
    }
    responses = Responses(kinds)
    stimuli_by_name: dict[str, Stimuli] = {
        kind.stimuli.name: kind.stimuli for kind in kinds.values()
    }
    total = sum(stimuli.conditions for stimuli in stimuli_by_name.values())
    done = 0
    with Probe(model) as probe:
        for stimuli in stimuli_by_name.values():
            rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
            background = _maps_of(probe, stimuli.background[None], layers)
            for batch in _measure(probe, stimuli, background):
                for layer, values in batch.items():
                    rows[layer].append(values)
                done += len(batch[layers[0]])
                advance("atlas: stimuli", done, total)
            for layer, values_by_batch in rows.items():
                measured = torch.cat(values_by_batch).double().cpu().numpy()
                mean = background[layer][0].double().mean((1, 2)).cpu().numpy()
                responses.add(layer, stimuli.name, measured, mean)
    return responses


def _maps_of(probe: Probe, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Maps (n c h w) of each layer."""
    model = probe.model
    maps = probe.activations(model.preprocess(model.match_channels(images)), layers)
    return {name: activation.float() for name, activation in maps.items()}


def _measure(
    probe: Probe, stimuli: Stimuli, background: Mapping[str, Tensor]
) -> Iterator[dict[str, Tensor]]:
    """Responses (conditions units) of each layer, a batch of conditions at a time; `background` are
    the layers' maps of the plain background."""
    per_condition = len(stimuli.draw(0))
    step = max(1, IMAGES_AT_ONCE // per_condition)
    for first in range(0, stimuli.conditions, step):
        conditions = range(first, min(first + step, stimuli.conditions))
        images = torch.cat([stimuli.draw(condition) for condition in conditions])
        batch = {}
        for name, maps in _maps_of(probe, images, list(background)).items():
            difference = maps - background[name]
            difference = difference.reshape(len(conditions), per_condition, *difference.shape[1:])
            values = combine(difference, stimuli.combination)
            faint = FAINT * background[name].abs().max()
            batch[name] = torch.where(values > faint, values, 0.0)
        yield batch


def combine(difference: Tensor, combination: Combination) -> Tensor:
    """One response for each condition and unit (n c), from maps (n images c h w)."""
    if combination == "max":
        return difference.amax((1, 3, 4)).clamp_min(0)
    mean = difference.mean(1)
    cosine = (difference[:, 0] - difference[:, 2]) / 2
    sine = (difference[:, 1] - difference[:, 3]) / 2
    return torch.maximum(torch.hypot(cosine, sine), mean).amax((2, 3)).clamp_min(0)
