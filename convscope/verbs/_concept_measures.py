"""How much concepts hold of a layer, and how much each of them matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from convscope.concepts import registry
from convscope.concepts.factors import Factors, Floats
from convscope.concepts.intervals import mean_interval
from convscope.concepts.sobol import total_sobol_indices
from convscope.core.progress import track
from convscope.probe.gradient import gradient_of
from convscope.probe.partial_forward import PartialForward
from convscope.questions.target import Target
from convscope.results.arrays import Array, to_numpy
from convscope.results.provenance import Row
from convscope.verbs._concept_layer import BATCH, ConceptLayer

DESIGNS = 32
"""Points of the Sobol sequence that importance is measured with, as in CRAFT's own code."""

ENOUGH = 0.95
"""Share of top predictions kept at which a number of concepts is enough."""


@dataclass(frozen=True)
class Importance:
    """Of each concept for each photo's target (n k), with the targets' titles (n); and the target's
    probability while concepts are taken away from the layer, or put into their reconstruction, in
    the order of their importance, those that speak against the target last (n k+1 both)."""

    values: Floats
    titles: list[str]
    deletion: Floats
    insertion: Floats

    @property
    def arrays(self) -> dict[str, Array]:
        """As a result keeps them."""
        return {
            "importance": self.values,
            "deletion": self.deletion,
            "insertion": self.insertion,
        }

    def columns(self, seed: int) -> list[Row]:
        """For each concept its mean over the photos, the ends of the mean's interval (None of a
        single photo), and the target that it matters most for."""
        count = len(self.values)
        low, high = mean_interval(self.values, seed)
        titles = np.array(self.titles)
        names = list(dict.fromkeys(self.titles))
        by_target = np.stack([self.values[titles == name].mean(0) for name in names])
        return [
            {
                "importance": float(self.values[:, index].mean()),
                "low": float(low[index]) if count > 1 else None,
                "high": float(high[index]) if count > 1 else None,
                "matters_for": names[int(by_target[:, index].argmax())],
            }
            for index in range(self.values.shape[1])
        ]


def kept_share(layer: ConceptLayer, factors: Factors) -> float:
    """The share of top predictions that stay when the layer is replaced by its reconstruction."""
    reconstruction = layer.as_maps(factors.reconstruction)
    scores = layer.probe.model.scores
    kept = 0
    for at in track(range(len(reconstruction)), "photos", len(reconstruction)):
        partial = layer.partial(at)
        replaced = partial.scores(reconstruction[at : at + 1])
        kept += int(replaced[0].argmax() == scores(partial.output)[0].argmax())
    return kept / len(reconstruction)


def choose_count(layer: ConceptLayer, seed: int) -> tuple[int, Floats]:
    """The smallest number of concepts that keeps enough of the top predictions, by doubling and
    bisection; and the curve that it was read from (m 2: concepts, share kept). The largest possible
    number, where none is enough."""
    curve: dict[int, float] = {}

    def is_enough(count: int) -> bool:
        curve[count] = kept_share(layer, layer.factorize(count, seed))
        return curve[count] >= ENOUGH

    too_few, count = 0, 1
    while not is_enough(count) and count < layer.most:
        too_few, count = count, min(2 * count, layer.most)
    while count - too_few > 1:
        middle = (too_few + count) // 2
        if is_enough(middle):
            count = middle
        else:
            too_few = middle
    return count, np.array(sorted(curve.items()), np.float32)


def measure_importance(
    layer: ConceptLayer, factors: Factors, asked: Target, seed: int
) -> Importance:
    """The importance of all concepts on all photos; by default for each photo's top prediction."""
    coefficients = layer.as_maps(factors.coefficients)
    directions = torch.from_numpy(factors.directions).to(coefficients.device)
    offset = torch.from_numpy(factors.offset).to(coefficients.device)
    by_derivative = registry.traits(layer.method).importance == "derivative"
    values, curves, titles = [], [], []
    for at in track(range(len(coefficients)), "importance", len(coefficients)):
        partial = layer.partial(at)
        choice = asked.at(at).resolved(partial.output)
        scaled = _Scaled(partial, coefficients[at], directions, offset)
        value = (
            directional_derivatives(partial, choice, directions)
            if by_derivative
            else _sobol_indices(scaled, choice, seed)
        )
        values.append(value)
        # An index of variance does not say which way; the derivative does.
        signed = value if by_derivative else value * scaled.directions_of_effect(choice)
        curves.append(_curves(scaled, choice.as_probability(), signed))
        titles += choice.titles()
    deletion, insertion = (np.stack(side) for side in zip(*curves, strict=True))
    return Importance(np.stack(values), titles, deletion, insertion)


def directional_derivatives(partial: PartialForward, target: Target, directions: Tensor) -> Floats:
    """The derivative of a photo's score along each direction (k c), added at every place (k), as
    ICE weighs concepts (Zhang et al., 2021)."""
    return to_numpy(directions @ summed_gradient(partial, target))


def summed_gradient(partial: PartialForward, target: Target) -> Tensor:
    """The derivative of a photo's score along each channel, added at every place (c)."""
    maps = partial.maps.detach().clone().requires_grad_()
    with torch.enable_grad():
        gradient = gradient_of(target(partial(maps)), [maps], "the layer")[0]
    return gradient[0].float().sum((1, 2))


def _sobol_indices(scaled: _Scaled, target: Target, seed: int) -> Floats:
    """The part of each concept (k) in the variance of a photo's score."""

    def score(masks: Floats) -> Floats:
        return scaled.scores(masks, target)

    return total_sobol_indices(score, len(scaled.directions), designs=DESIGNS, seed=seed)


@dataclass(frozen=True)
class _Scaled:
    """One photo's reconstruction with each concept turned down: coefficients (k h w), directions (k
    c), offset (c)."""

    partial: PartialForward
    coefficients: Tensor
    directions: Tensor
    offset: Tensor

    def scores(self, masks: Floats, target: Target) -> Floats:
        """The target's score (m) with the concepts multiplied by each row of `masks` (m k)."""
        scores = []
        for part in torch.split(torch.from_numpy(masks).to(self.offset.device), BATCH):
            maps = self._sum(part) + self.offset[:, None, None]
            scores.append(target.expand(len(part))(self.partial(maps)))
        return to_numpy(torch.cat(scores))

    def scores_without(self, masks: Floats, target: Target) -> Floats:
        """The target's score (m) with the concepts of each row of `masks` (m k) taken away from
        what the layer gave; what no concept stands for stays."""
        scores = []
        for part in torch.split(torch.from_numpy(masks).to(self.offset.device), BATCH):
            maps = self.partial.maps - self._sum(part)
            scores.append(target.expand(len(part))(self.partial(maps)))
        return to_numpy(torch.cat(scores))

    def directions_of_effect(self, target: Target) -> Floats:
        """For each concept (k) 1 where the score falls when it alone is taken away, -1 where it
        rises, 0 where nothing changes."""
        count = len(self.directions)
        masks = np.concatenate([np.zeros((1, count)), np.eye(count)]).astype(np.float32)
        scores = self.scores_without(masks, target)
        return np.asarray(np.sign(scores[0] - scores[1:]), np.float32)

    def _sum(self, weights: Tensor) -> Tensor:
        """The concepts (m c h w) by their weights (m k)."""
        return torch.einsum("mk,khw,kc->mchw", weights, self.coefficients, self.directions)


def _curves(scaled: _Scaled, target: Target, importance: Floats) -> tuple[Floats, Floats]:
    """The target's score as concepts go, and as they come, in the order of their signed importance
    (k+1 both)."""
    count = len(importance)
    rank = np.empty(count, np.int64)
    rank[np.argsort(-importance, kind="stable")] = np.arange(count)
    chosen = (rank[None] < np.arange(count + 1)[:, None]).astype(np.float32)
    return scaled.scores_without(chosen, target), scaled.scores(chosen, target)
