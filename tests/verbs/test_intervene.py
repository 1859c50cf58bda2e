from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import OptionError, UnitError
from tests.small_networks import ByHand, Trunk


def by_hand():
    """Maps 2 x and -1 x; their means m; scores m0 + 3 m1 and m0 - m1."""
    return convscope.load_model(ByHand(), size=4, mean=0.0, std=1.0)


def test_solved_by_hand():
    """x = 0.5 everywhere: m = (1, -0.5), scores (-0.5, 1.5). Unit 0 times s: (s - 1.5, s + 0.5)."""
    photo = np.full((4, 4, 1), 0.5, np.float32)
    result = convscope.intervene(by_hand(), photo, "conv:0", scale=[0.0, 1.0, 3.0])
    assert np.allclose(result["original"], [[-0.5, 1.5]])
    assert np.allclose(result["score"], [[-1.5, 0.5], [-0.5, 1.5], [1.5, 3.5]])
    silenced = [row for row in result.table if row["scale"] == 0 and row["list"] == "raises"]
    assert [row["change"] for row in silenced] == pytest.approx([-1, -1])


@pytest.mark.parametrize("scale", [-1.0, 0.0, 0.5, 2.0, 4.0])
def test_the_lists_say_what_the_unit_does_at_any_scale(scale):
    """Unit 1 is -0.5 on average: m0 + 3 m1 is lower with it, m0 - m1 higher."""
    photo = np.full((4, 4, 1), 0.5, np.float32)
    table = convscope.intervene(by_hand(), photo, "conv:1", scale=scale).table
    assert {row["list"]: row["index"] for row in table[2:]} == {"raises": 1, "lowers": 0}
    assert [row["change"] for row in table[2:]] == pytest.approx(
        [-0.5 * -(scale - 1), -0.5 * 3 * (scale - 1)]
    )


@pytest.mark.parametrize("name", ["first:2", "third:1"])
def test_rounding_is_no_effect(name):
    torch.manual_seed(0)
    model = convscope.load_model(Trunk().eval(), size=16)
    photo = np.random.default_rng(0).random((16, 16, 3), dtype=np.float32)
    table = convscope.intervene(model, photo, name, scale=[1.0, 0.999999999]).table
    assert {row["list"] for row in table} == {"answer"}


def test_one_neuron():
    """One of 16 places of map 1 silenced: m1 goes from -0.5 to -0.5 * 15 / 16."""
    photo = np.full((4, 4, 1), 0.5, np.float32)
    result = convscope.intervene(by_hand(), photo, "conv:1:2,3")
    assert np.allclose(result["score"], [[1 - 1.5 * 15 / 16, 1 + 0.5 * 15 / 16]])


@pytest.mark.parametrize("layer", ["first", "second", "relu", "third"])
def test_against_a_hook(layer):
    """The whole network run with a hook that scales the unit; modules that run often count for
    their last run."""
    torch.manual_seed(0)
    network = Trunk().eval()
    photo = np.random.default_rng(0).random((16, 16, 3), dtype=np.float32)
    model = convscope.load_model(network, size=16)
    calls = 0
    runs = {"first": 1, "second": 2, "relu": 3, "third": 1}[layer]

    def scaled(module, given, output):
        nonlocal calls
        calls += 1
        if calls == runs:
            output = output.clone()
            output[:, 3] *= 2.5
            return output
        return None

    image = model.preprocess(torch.from_numpy(photo.transpose(2, 0, 1)[None]))
    handle = network.get_submodule(layer).register_forward_hook(scaled)
    with torch.no_grad():
        wanted = network(image)
    handle.remove()
    result = convscope.intervene(model, photo, f"{layer}:3", scale=2.5)
    assert np.allclose(result["score"], wanted, atol=1e-5)


def test_scale_one_changes_nothing(embedded, chelsea):
    result = convscope.intervene(embedded, chelsea, "blocks.3:11", scale=[1.0, 0.0])
    assert np.allclose(result["score"][0], result["original"][0], atol=1e-4)
    assert np.allclose(result["original"], convscope.predict(embedded, chelsea)["score"], atol=1e-3)
    assert np.abs(result["score"][1] - result["original"][0]).max() > 1e-3


def test_a_second_photo_and_changed_weights_are_seen():
    """What is kept for a slider belongs to its photo and to the network as it was."""
    torch.manual_seed(0)
    network = Trunk().eval()
    model = convscope.load_model(network, size=16)
    first, second = np.random.default_rng(1).random((2, 16, 16, 3), dtype=np.float32)
    one = convscope.intervene(model, first, "third:2")["score"]
    other = convscope.intervene(model, second, "third:2")["score"]
    assert not np.allclose(one, other)
    assert np.allclose(convscope.intervene(model, first, "third:2")["score"], one)
    with torch.no_grad():
        network.head.bias.add_(1.0)
    assert np.allclose(convscope.intervene(model, first, "third:2")["score"], one + 1, atol=1e-5)


VERBS = {
    "intervene": lambda model, photo: convscope.intervene(model, photo, "third:1"),
    "place": lambda model, photo: convscope.place(model, photo, 5, 5, layers=["third"], target="a"),
    "overview": lambda model, photo: convscope.overview(model, photo, method="grad_cam"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_two_models_of_one_network_answer_for_themselves(verb):
    """With other preprocessing, other labels or another head, each says what it says alone."""
    torch.manual_seed(0)
    network = Trunk().eval()
    photo = np.random.default_rng(1).random((16, 16, 3), dtype=np.float32)
    kinds = [
        {"mean": 0.0, "std": 1.0, "labels": "a,b,c,d,e"},
        {"mean": 0.5, "std": 0.2, "labels": "a,b,c,d,e"},
        {"mean": 0.5, "std": 0.2, "labels": "e,d,c,b,a"},
        {"mean": 0.5, "std": 0.2, "labels": "e,d,c,b,a", "task": "multi-label"},
    ]
    for kind in kinds:
        result = VERBS[verb](convscope.load_model(network, size=16, **kind), photo)
        alone = VERBS[verb](convscope.load_model(copy.deepcopy(network), size=16, **kind), photo)
        assert [*result] == [*alone]
        for name in result:
            assert np.allclose(result[name], alone[name], atol=1e-5), name
        names = [(row.get("label"), row.get("target")) for row in result.table]
        assert names == [(row.get("label"), row.get("target")) for row in alone.table]


def test_refusals(embedded, chelsea):
    with pytest.raises(UnitError):
        convscope.intervene(embedded, chelsea, "blocks.3:80")
    with pytest.raises(OptionError, match="one photo"):
        convscope.intervene(embedded, [chelsea, chelsea], "blocks.3:1")
    with pytest.raises(OptionError):
        convscope.intervene(embedded, chelsea, "blocks.3:1", scale=float("nan"))
    with pytest.raises(OptionError):
        convscope.intervene(embedded, chelsea, "blocks.3:1", scale=[])
