"""Images in the memory order that a network takes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import convscope
from convscope.probe import Probe


@pytest.fixture(autouse=True)
def same_weights():
    torch.manual_seed(0)


class Flattened(nn.Module):
    """A network that asks its maps for a view, which only the usual memory order has."""

    def __init__(self, flatten):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.second = nn.Conv2d(8, 16, 3, 2, 1)
        self.head = nn.Linear(16 * 64, 5)
        self.flatten = flatten

    def forward(self, image):
        maps = self.second(self.first(image).relu()).relu()
        return self.head(self.flatten(maps))


def by_view(maps):
    return maps.view(len(maps), -1)


def by_memory(maps):
    """Reads the values in the order in which they lie in memory."""
    return torch.as_strided(maps, (len(maps), maps[0].numel()), (maps[0].numel(), 1))


@pytest.fixture
def image():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("flatten", "takes"), [(by_view, False), (by_memory, False), (nn.Flatten(), True)]
)
def test_only_a_network_that_takes_channels_last_gets_them(flatten, takes, image):
    model = convscope.load_model(Flattened(flatten), size=32)
    orders = []
    model.network.register_forward_pre_hook(
        lambda module, inputs: orders.append(inputs[0].is_contiguous())
    )
    with Probe(model) as probe:
        expected = probe.scores(image)
        for _ in range(2):
            actual = probe.scores(probe.channels_last(image))
            assert torch.allclose(actual, expected, atol=1e-5)
    assert orders[-1] != takes


@pytest.mark.parametrize("method", ["rise", "occlusion", "integrated_gradients", "score_cam"])
def test_methods_that_run_batches_work_on_a_network_with_a_view(method):
    plain, viewing = (
        convscope.load_model(Flattened(flatten), size=32) for flatten in (nn.Flatten(), by_view)
    )
    viewing.network.load_state_dict(plain.network.state_dict())
    options = {"masks": 20} if method == "rise" else {}
    expected, actual = (
        convscope.explain(model, "sample:chelsea", method=method, target=1, **options)["heatmap"]
        for model in (plain, viewing)
    )
    assert abs(expected - actual).max() <= 1e-4 * abs(expected).max()


@pytest.mark.parametrize("verb", ["fool", "class_image", "visualize", "invert", "dream"])
def test_pictures_can_be_made_of_a_network_with_a_view(verb):
    model = convscope.load_model(Flattened(by_view), size=32)
    photo = "sample:chelsea"
    result = {
        "fool": lambda: convscope.fool(model, photo, target=2, steps=2),
        "class_image": lambda: convscope.class_image(model, 2, steps=2),
        "visualize": lambda: convscope.visualize(model, "second:3", steps=2),
        "invert": lambda: convscope.invert(model, photo, layer="second", steps=2),
        "dream": lambda: convscope.dream(model, photo, layer="second", steps=2, octaves=1),
    }[verb]()
    assert result.arrays
