"""Every registered objective climbs from its own start; values worked out on paper."""

from __future__ import annotations

import math

import pytest
import torch

from convscope.errors import (
    OptionError,
)
from convscope.probe import Probe
from convscope.synthesis import objectives
from convscope.synthesis.evaluate import evaluate
from convscope.synthesis.objective import channel, neuron, objective
from convscope.synthesis.objectives import ForwardPass
from tests.contract.optimized import OBJECTIVES, optimize_batches, options_of, trunk


def seen(*values, model=None, **maps) -> ForwardPass:
    """What an objective looks at, from numbers: `maps` are n c h w."""
    tensors = {name: torch.tensor(value, dtype=torch.float32) for name, value in maps.items()}
    return ForwardPass(model, torch.zeros(len(next(iter(tensors.values()))), 3, 4, 4), tensors)


def value(name: str, given: ForwardPass, **parameters) -> list[float]:
    return objectives.registry.get(name)(given, **parameters).tolist()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_climbs_from_its_own_start(name):
    model = trunk()
    wanted = objective(name, **options_of(name))
    # What compares images starts from ones that differ.
    batch = objectives.registry.traits(name).batch
    result = optimize_batches(model, [wanted] * (3 if batch else 1), sd=1.0 if batch else 0.01)
    assert result.score.shape[1] == 15
    assert (result.score[:, -1] > result.score[:, 0]).all()
    assert float(result.image.min()) > 0
    assert float(result.image.max()) < 1


@pytest.mark.parametrize(
    "name", [name for name in OBJECTIVES if not objectives.registry.traits(name).batch]
)
def test_a_score_is_the_same_alone_and_among_others(name):
    model = trunk()
    wanted = objective(name, **options_of(name))
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with Probe(model) as probe:
        maps, output = probe.activations_and_output(model.preprocess(images), list(wanted.layers))
        reference = {layer: tensor[:1] * 0.5 for layer, tensor in maps.items()}
        together = evaluate([wanted] * 3, ForwardPass(model, images, maps, output, reference))
        maps, output = probe.activations_and_output(
            model.preprocess(images[1:2]), list(wanted.layers)
        )
        alone = evaluate([wanted], ForwardPass(model, images[1:2], maps, output, reference))
    torch.testing.assert_close(alone, together[1:2], atol=1e-5, rtol=1e-5)


def test_channel_neuron_and_layer():
    forward = seen(l=[[[[1, 2], [3, 4]], [[0, 0], [0, 8]]]])
    assert value("channel", forward, layer="l", index=0) == [2.5]
    assert value("channel", forward, layer="l", index=1) == [2]
    assert value("neuron", forward, layer="l", index=0, row=0, column=1) == [2]
    assert value("neuron", forward, layer="l", index=0) == [4]
    assert value("neuron", forward, layer="l", index=0, row=0) == [2]
    # (1 + 4 + 9 + 16 + 64) / 8 / 2
    assert value("layer", forward, layer="l") == [94 / 16]


def test_logit_and_probability():
    model = trunk()
    scores = torch.tensor([[1.0, 2.0, 0.0, 0.0, 0.0]])
    forward = ForwardPass(model, torch.zeros(1, 3, 4, 4), {}, scores)
    assert value("logit", forward, target=1) == [2]
    assert value("probability", forward, target=1) == pytest.approx(
        [2 - math.log(math.e + math.e**2 + 3)]
    )


def test_direction():
    """At one place (3, 4), at another (4, -3); along (1, 0): dots 3 and 4, cosines 0.6 and 0.8."""
    forward = seen(l=[[[[3, 4]], [[4, -3]]]])
    assert value("direction", forward, layer="l", vector=(1.0, 0.0)) == pytest.approx([3.5])
    assert value("direction", forward, layer="l", vector=(1.0, 0.0), power=1.0) == pytest.approx(
        [(3 * 0.6 + 4 * 0.8) / 2]
    )
    assert value("direction", forward, layer="l", vector=(2.0, 0.0), power=2.0) == pytest.approx(
        [(6 * 0.36 + 8 * 0.64) / 2]
    )
    assert value(
        "direction", forward, layer="l", vector=(0.0, 1.0), row=0, column=1
    ) == pytest.approx([-3])
    assert value("direction", forward, layer="l", vector=(0.0, 1.0), column=0) == pytest.approx([4])
    # A cosine below 0.1 counts as 0.1, so that an opposite activation still has a slope that leads
    # out.
    assert value(
        "direction", forward, layer="l", vector=(0.0, 1.0), row=0, column=1, power=1.0
    ) == pytest.approx([-0.3])
    with pytest.raises(OptionError, match="2 numbers"):
        value("direction", forward, layer="l", vector=(1.0, 0.0, 0.0))


def test_match_difference_and_caricature():
    """Reference (3, 4); activations: nothing, the same, twice, the opposite, at right angles."""
    forward = seen(l=[[[[x]], [[y]]] for x, y in [(0, 0), (3, 4), (6, 8), (-3, -4), (4, -3)]])
    forward.reference = {"l": torch.tensor([[[[3.0]], [[4.0]]]])}
    assert value("match", forward, layer="l") == pytest.approx([-1, 0, -1, -4, -2])
    assert value("difference", forward, layer="l") == pytest.approx([-12.5, 0, -12.5, -50, -25])
    assert value("caricature", forward, layer="l") == pytest.approx([0, 1, 2, -0.1, 0])
    assert value("caricature", forward, layer="l", power=0.0) == pytest.approx([0, 1, 2, -1, 0])


def test_diversity():
    """Gram matrices of one channel each: equal ones have cosine 1, those of different channels
    0."""
    first, second = [[[1.0, 2.0]], [[0.0, 0.0]]], [[[0.0, 0.0]], [[5.0, 1.0]]]
    assert value("diversity", seen(l=[first, first]), layer="l") == pytest.approx([-1, -1])
    assert value("diversity", seen(l=[first, second]), layer="l") == pytest.approx([0, 0])
    assert value("diversity", seen(l=[first, first, second]), layer="l") == pytest.approx(
        [-0.5, -0.5, 0]
    )
    assert value("diversity", seen(l=[first]), layer="l") == [0]


def test_alignment():
    """Neighbors at distance 1 and 3: half the mean square to each side."""
    forward = seen(l=[[[[0.0, 0.0]]], [[[1.0, 1.0]]], [[[4.0, 4.0]]]])
    assert value("alignment", forward, layer="l") == pytest.approx([-0.5, -5.0, -4.5])
    assert value("alignment", seen(l=[[[[1.0]]]]), layer="l") == [0]


def test_different_objectives_in_one_batch():
    model = trunk()
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with Probe(model) as probe:
        maps, output = probe.activations_and_output(model.preprocess(images), ["second", "third"])
    wanted = [
        channel("second", 3),
        0.5 * channel("second", 5) - 2 * neuron("third", 1, 2, 3),
        objective("logit", target=4) + channel("third", 0),
        objective("layer", layer="third"),
    ]
    second, third = maps["second"], maps["third"]
    by_hand = [
        second[0, 3].mean(),
        0.5 * second[1, 5].mean() - 2 * third[1, 1, 2, 3],
        output[2, 4] + third[2, 0].mean(),
        third[3].pow(2).mean() / 2,
    ]
    torch.testing.assert_close(
        evaluate(wanted, ForwardPass(model, images, maps, output)),
        torch.stack(by_hand),
        atol=1e-5,
        rtol=1e-5,
    )


def test_only_faces_of_the_same_unit_are_driven_apart():
    model = trunk()
    wanted = [
        channel("third", unit) * 0 + objective("diversity", layer="third") for unit in (0, 0, 1, 1)
    ]
    maps = torch.rand(4, 12, 3, 3)
    maps[1] = maps[0]
    actual = evaluate(wanted, ForwardPass(model, torch.zeros(4, 3, 8, 8), {"third": maps}))
    assert actual[:2].tolist() == pytest.approx([-1, -1], abs=1e-5)
    assert (actual[2:] > -1).all()
