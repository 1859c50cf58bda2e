"""The authors' code of CRAFT (craft-xai) and Overcomplete's factorizations, on activations that are
read once: what `benchmarks.concepts` compares with, where these packages are installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.concepts.factors import Factors
from convscope.photos.fingerprint import fingerprint
from convscope.probe.partial_forward import PartialForward
from convscope.questions.target import Target
from convscope.verbs._concept_layer import BATCH, ConceptLayer
from convscope.verbs._concept_measures import kept_share, measure_importance

Floats = NDArray[np.float32]
Measured = tuple[Factors, float, Floats, Floats]
"""What a run of an oracle leaves: its factors, the share of top predictions kept, and the curves of
deletion and insertion (n k+1)."""

Oracle = Callable[[int, int], Measured]
"""From a number of concepts and a seed to a run."""


def craft_class() -> Any:
    """The class of craft-xai, or None where it is not installed."""
    # Its sampler imports TensorFlow, which the rest of it for torch does not need.
    sys.modules.setdefault("tensorflow", MagicMock())
    try:
        from craft.craft_torch import Craft
    except ImportError:
        return None
    return Craft


def overcomplete_classes() -> dict[str, Any]:
    """Its non-negative and its semi-non-negative factorization; none where it is not installed."""
    import matplotlib as mpl

    # Overcomplete calls what matplotlib has removed.
    vars(mpl.cm).setdefault("get_cmap", mpl.colormaps.get_cmap)
    try:
        from overcomplete.optimization import NMF, SemiNMF
    except ImportError:
        return {}
    return {"Overcomplete's NMF": NMF, "Overcomplete's SemiNMF": SemiNMF}


def oracles(layer: ConceptLayer) -> dict[str, Oracle]:
    """Those that are installed, by what the page calls them."""
    known: dict[str, Oracle] = {}
    craft = craft_class()
    if craft is not None:
        known["CRAFT's authors' code"] = _craft_oracle(layer, craft)
    for name, kind in overcomplete_classes().items():
        known[name] = _overcomplete_oracle(layer, kind)
    return known


def _overcomplete_oracle(layer: ConceptLayer, kind: Any) -> Oracle:
    """It has no importance of its own, so its concepts are weighed as ours are."""

    def run(count: int, seed: int) -> Measured:
        np.random.seed(seed)
        torch.manual_seed(seed)
        places = layer.places if kind.__name__ == "NMF" else _signed(layer)
        codes, directions = kind(count).fit(torch.from_numpy(places))
        factors = _factors(codes.numpy(), directions.numpy())
        asked = Target.of(layer.probe.model, None)
        measured = measure_importance(layer, factors, asked, seed)
        return factors, kept_share(layer, factors), measured.deletion, measured.insertion

    return run


def _craft_oracle(layer: ConceptLayer, craft: Any) -> Oracle:
    """craft-xai with its own crops, coefficients and importance."""
    known: dict[str, torch.Tensor] = {}

    def latent(batch: torch.Tensor) -> torch.Tensor:
        # Each seed asks for the same crops again.
        key = fingerprint(batch)
        if key not in known:
            parts = [
                layer.probe.activations(part, [layer.name])[layer.name]
                for part in torch.split(batch, BATCH)
            ]
            known[key] = torch.cat(parts).clamp_min(0)
        return known[key]

    def run(count: int, seed: int) -> Measured:
        np.random.seed(seed)  # scikit-learn's generator, where none is given
        side = round(layer.image.shape[-1] * 64 / 224)
        oracle = craft(latent, number_of_concepts=count, patch_size=side, device="cpu")
        oracle.fit(layer.image)
        coefficients = oracle.transform(layer.image)
        factors = _factors(coefficients.reshape(-1, count), oracle.W)
        curves = [
            _craft_curves(layer, oracle, layer.partial(at), at, coefficients[at])
            for at in range(len(layer.image))
        ]
        deletion, insertion = (np.stack(side) for side in zip(*curves, strict=True))
        return factors, kept_share(layer, factors), deletion, insertion

    return run


def _craft_curves(
    layer: ConceptLayer, oracle: Any, partial: PartialForward, at: int, map_: Floats
) -> tuple[Floats, Floats]:
    """The top prediction's probability as the oracle's concepts (h w k) go and come, in the order
    of its own importance."""
    model = layer.probe.model
    index = int(model.scores(partial.output)[0].argmax())
    oracle.latent_to_logit = partial.scores
    importance = oracle.estimate_importance(layer.image[at : at + 1], index)
    order = np.argsort(-importance, kind="stable")

    def probability(masks: Floats, without: bool) -> Floats:
        chosen = torch.from_numpy((map_[None] * masks[:, None, None]) @ oracle.W)
        maps = chosen.permute(0, 3, 1, 2).float()
        scores = partial.scores(partial.maps - maps if without else maps)
        return np.asarray(model.probabilities(scores)[:, index].numpy(), np.float32)

    chosen = np.zeros((len(order) + 1, len(order)), np.float32)
    for step, concept in enumerate(order, start=1):
        chosen[step:, concept] = 1
    return probability(chosen, True), probability(chosen, False)


def _signed(layer: ConceptLayer) -> Floats:
    """The layer's activations, a row for each place, as semi-NMF reads them."""
    rows = layer.maps.permute(0, 2, 3, 1).flatten(0, 2)
    return np.ascontiguousarray(rows.numpy(), np.float32)


def _factors(coefficients: Floats, directions: Floats) -> Factors:
    return Factors(
        np.asarray(coefficients, np.float32),
        np.asarray(directions, np.float32),
        np.zeros(directions.shape[1], np.float32),
    )
