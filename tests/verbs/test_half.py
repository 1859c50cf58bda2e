"""bfloat16: over 24 units the pictures reach the scores of full precision, and show the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import convscope
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from convscope.synthesis.transforms import apply

UNITS = [(f"blocks.{stage}", unit) for stage in range(1, 7) for unit in (5, 7, 11, 20)]
COPIES = 8


def seen(model: Model, images: Tensor, layers: list[str]) -> dict[str, Tensor]:
    """What the network itself, in full precision, makes of transformed copies: means over them and
    over places (n channels)."""
    streams = RandomStreams.of(9, [str(copy) for copy in range(COPIES)] * len(images))
    copies = apply(
        images.repeat_interleave(COPIES, 0),
        streams,
        Settings("distill", "visualize").config.transforms,
    )
    with Probe(model) as probe:
        maps = probe.activations(model.preprocess(copies), layers)
    return {
        name: features.mean((2, 3)).view(len(images), COPIES, -1).mean(1)
        for name, features in maps.items()
    }


@pytest.fixture(scope="module")
def both() -> tuple[Tensor, Tensor]:
    """Scores of the units (full and half precision), and how like the pictures are: cosines of what
    the last stage makes of them."""
    model = convscope.load_model()
    names = [f"{layer}:{unit}" for layer, unit in UNITS]
    results = [
        convscope.visualize(model, names, preset="quick", steps=40, size=64, half=half)
        for half in (False, True)
    ]
    assert not torch.equal(*(torch.from_numpy(each["image"]) for each in results))
    layers = sorted({layer for layer, _ in UNITS})
    features = [seen(model, torch.from_numpy(each["image"]), layers) for each in results]
    scores = torch.stack(
        [
            torch.stack([means[layer][place, unit] for place, (layer, unit) in enumerate(UNITS)])
            for means in features
        ]
    )
    profiles = [
        torch.cat([(means[name] - means[name].mean(0)) / means[name].std(0) for name in layers], 1)
        for means in features
    ]
    full, half = (torch.nn.functional.normalize(profile, dim=1) for profile in profiles)
    return scores, half @ full.T


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_climbs_reach_the_scores_of_full_precision(both):
    """Climbs part ways where rounding does, so that single units end up to a fifth higher or lower,
    but not their middle."""
    full, half = both[0]
    assert float((half / full).median()) == pytest.approx(1, abs=0.05)
    assert float((half / full).log().mean().exp()) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pictures_show_the_same(both):
    """Among the 24 pictures in full precision, the one most like a unit's picture in half precision
    is that unit's own."""
    nearest = both[1].argmax(1)
    assert int((nearest == torch.arange(len(UNITS))).sum()) >= 22


def test_one_picture_has_one_score_in_both_precisions():
    model = convscope.load_model()
    names = [f"{layer}:{unit}" for layer, unit in UNITS]
    images = torch.from_numpy(
        convscope.visualize(model, names, preset="quick", steps=24, size=64)["image"]
    )
    scores = []
    for half in (False, True):
        with Probe(inference_copy(model, [layer for layer, _ in UNITS], half=half)) as probe:
            maps = probe.activations(
                model.preprocess(images), sorted({layer for layer, _ in UNITS})
            )
        scores.append(
            torch.stack(
                [
                    maps[layer][place, unit].float().mean()
                    for place, (layer, unit) in enumerate(UNITS)
                ]
            )
        )
    torch.testing.assert_close(scores[1], scores[0], rtol=0.02, atol=0.02 * float(scores[0].min()))


@pytest.mark.parametrize("has_instructions", [False, True])
def test_quick_chooses_the_precision_by_the_processor(monkeypatch, has_instructions):
    asked = []

    def copy(model, layers=(), *, half=False):
        asked.append(half)
        return inference_copy(model, layers)

    monkeypatch.setattr("convscope.synthesis.optimize_batches.inference_copy", copy)
    monkeypatch.setattr(
        "convscope.verbs.visualize.computes_bfloat16", lambda device: has_instructions
    )
    model = convscope.load_model()
    for preset, half in (("quick", None), ("distill", None), ("quick", False), ("lucid", True)):
        result = convscope.visualize(
            model, "blocks.0:1", preset=preset, half=half, steps=1, size=32
        )
        assert (", bfloat16" in str(result.details["preset"])) == asked[-1]
    assert asked == [has_instructions, False, False, True]
