"""One run of the network says what predict, activations and explain say, and is kept no longer than
it is true."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import OptionError
from convscope.probe import Probe
from convscope.questions.target import Target
from tests.questions.answering_networks import Detector
from tests.small_networks import ByHand, Trunk


def photo(seed, side=16):
    return np.random.default_rng(seed).random((side, side, 3), dtype=np.float32)


def trunk():
    torch.manual_seed(0)
    return Trunk().eval()


def test_solved_by_hand():
    """Maps 2 x and -x of x = 0.5 are 1 and -0.5; score 0 is their means 1 + 3 (-0.5), whose
    gradient's means are 1/16 and 3/16: Grad-CAM is 1/16 - 1.5/16 everywhere."""
    model = convscope.load_model(ByHand(), size=4, mean=0.0, std=1.0)
    gray = np.full((4, 4, 1), 0.5, np.float32)
    result = convscope.overview(
        model, gray, layers="conv", method="grad_cam", target=0, layer="conv"
    )
    assert np.allclose(result["score"], [[-0.5, 1.5]])
    assert np.allclose(result["conv"][0, :, 0, 0], [1, -0.5])
    assert np.allclose(result["heatmap"], -0.5 / 16)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "eigen_cam", "saliency", "smoothgrad"])
def test_it_is_what_the_three_verbs_say(method):
    model, image = convscope.load_model(trunk(), size=16), photo(0)
    for target in (None, 3, "1 vs 2"):
        result = convscope.overview(model, image, layers="third", method=method, target=target)
        heat = convscope.explain(model, image, method=method, target=target)
        assert np.allclose(result["heatmap"], heat["heatmap"], atol=1e-5)
        assert result.details["titles"] == heat.details["titles"]
    answer = convscope.predict(model, image)
    assert np.allclose(result["probability"], answer["probability"], atol=1e-5)
    assert [row["index"] for row in result.table[:5]] == [row["index"] for row in answer.table]
    maps = convscope.activations(model, image, layers="third")["third"]
    assert np.allclose(result["third"], maps, atol=1e-5)


def test_another_target_runs_nothing_again():
    model, image = convscope.load_model(trunk(), size=16), photo(1)

    def look(target):
        return convscope.overview(model, image, method="grad_cam", target=target)["heatmap"]

    # Open from the start: a class with another forward is another network.
    with Counting() as counted:
        first = look(0)
        counted.runs = 0
        other = look(1)
        again = look(0)
        assert counted.runs == 0
        convscope.overview(model, photo(2), method="grad_cam")
        assert counted.runs == 1
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_kept_run_is_of_the_network_as_it_is():
    network = trunk()
    model, image = convscope.load_model(network, size=16), photo(3)
    before = convscope.overview(model, image, method="grad_cam", target=1)
    with torch.no_grad():
        network.head.bias += 1.0
        network.third.weight.data *= 1.5
    after = convscope.overview(model, image, method="grad_cam", target=1)
    wanted = convscope.explain(model, image, method="grad_cam", target=1)
    assert np.allclose(after["heatmap"], wanted["heatmap"], atol=1e-5)
    assert not np.allclose(before["heatmap"], after["heatmap"])


def test_gradients_of_a_recorded_run():
    """The same as those of a run of their own, as often as they are asked for."""
    model = convscope.load_model(trunk(), size=16)
    image = model.preprocess(torch.from_numpy(photo(4).transpose(2, 0, 1)[None]))
    layers = ["first", "third"]
    with Probe(model) as probe:
        plain = [
            probe.activations_and_gradients(image, layers, Target.of(model, index))
            for index in range(3)
        ]
        probe.recorded = probe.record(image, ["second"], layers)
        for index in range(3):
            actual = probe.activations_and_gradients(image, layers, Target.of(model, index))
            for name in layers:
                for tensor, expected in zip(actual[name], plain[index][name], strict=True):
                    assert torch.allclose(tensor, expected, atol=1e-6)


def test_several_photos_and_a_detector():
    model = convscope.load_model(trunk(), size=16)
    photos = [photo(5), photo(6)]
    result = convscope.overview(model, photos, method="grad_cam")
    heat = convscope.explain(model, photos, method="grad_cam")["heatmap"]
    assert np.allclose(result["heatmap"], heat, atol=1e-5)
    boxes = convscope.overview(
        convscope.load_model(Detector(), size=32, mean=0.0, std=1.0), photo(7, 32), top=2
    )
    assert [row["box"] for row in boxes.table if "box" in row] == [0, 1]


def test_refusals():
    model = convscope.load_model(trunk(), size=16)
    with pytest.raises(OptionError, match="top"):
        convscope.overview(model, photo(0), top=0)
    with pytest.raises(OptionError, match="grad_camm"):
        convscope.overview(model, photo(0), method="grad_camm")


class Counting:
    """Counts the forward passes of whole networks of a class while it is open."""

    def __enter__(self):
        self.runs = 0
        self.forward = Trunk.forward

        def forward(network, image):
            self.runs += 1
            return self.forward(network, image)

        Trunk.forward = forward
        return self

    def __exit__(self, *failure):
        Trunk.forward = self.forward


@pytest.mark.parametrize("verb", ["overview", "activations"])
def test_layers_in_one_text_are_those_of_a_list(verb):
    model, image = convscope.load_model(trunk(), size=16), photo(0)
    together = getattr(convscope, verb)(model, image, layers="second, first")
    apart = getattr(convscope, verb)(model, image, layers=["second", "first"])
    for name in ("first", "second"):
        assert np.array_equal(together[name], apart[name])
