"""Can one tell what a unit looks for? The machine interpretability score (Zimmermann et al.,
2024)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from convscope.networks.model import Model
from convscope.probe import Probe

PHOTOS = 10
"""On each side: one is the question, the nine others are the references, as in the paper."""


@dataclass(frozen=True)
class Readability:
    """The share of pairs of photos that were sorted rightly (chance is 0.5), and how many there
    were."""

    share: float
    pairs: int


def embed(judge: Model, photo: Tensor) -> Tensor:
    """The features (d, of length 1) that another network has for a photo (1 c h w in [0, 1]): its
    last layer with places, averaged over them."""
    with Probe(judge) as probe:
        layer = probe.layers.last_spatial() or list(probe.layers)[-1]
        maps = probe.activations(judge.preprocess(judge.fit(photo)), [layer])[layer]
    features = maps.float().flatten(2).mean(2)[0].cpu()
    return torch.nn.functional.normalize(features, dim=0)


def evidence(queries: Tensor, attracting: Tensor, repelling: Tensor) -> Tensor:
    """How much nearer each query (q d) is to what excites a unit (n d) than to what does the
    opposite (m d): the difference of the mean cosines (q)."""
    return (queries @ attracting.T).mean(1) - (queries @ repelling.T).mean(1)


def readability(strong: Tensor, weak: Tensor) -> Readability | None:
    """Which of two photos excites a unit more, as another network tells from others of the unit.

    Each pair of a strong and a weak photo (features n d each, n at least 2) is one question, and
    the other strong and weak photos are the references. It is answered rightly where the strong
    photo has the greater evidence. The paper draws its questions from further photos; leaving each
    pair out in turn needs fewer.
    """
    if len(strong) < 2 or len(weak) < 2:
        return None
    right = 0
    for high in range(len(strong)):
        for low in range(len(weak)):
            attracting = torch.cat([strong[:high], strong[high + 1 :]])
            repelling = torch.cat([weak[:low], weak[low + 1 :]])
            queries = torch.stack([strong[high], weak[low]])
            answers = evidence(queries, attracting, repelling)
            right += bool(answers[0] > answers[1])
    pairs = len(strong) * len(weak)
    return Readability(right / pairs, pairs)
