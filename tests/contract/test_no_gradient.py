"""Closed rectifiers, and what cannot be optimized."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import convscope
from convscope.errors import (
    ConvscopeError,
    DeadUnitError,
    ImageError,
    NoGradientError,
    NumericError,
)
from convscope.probe import Probe
from convscope.synthesis.objective import channel, objective
from tests.contract.optimized import optimize_batches
from tests.small_networks import Trunk, assert_unchanged, snapshot


class Closed(nn.Module):
    """One unit, relu(x - 0.9) with x the image's mean over channels: closed on a gray image."""

    def __init__(self, bias: float = -0.9, weight: float = 1 / 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.conv.weight, weight)
        nn.init.constant_(self.conv.bias, bias)
        self.relu = nn.ReLU()
        self.head = nn.Linear(1, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(image)).mean((2, 3)))


def plain(network: nn.Module, size: int = 8):
    return convscope.load_model(network, size=size, mean=0.0, std=1.0)


def test_a_closed_unit_is_opened_by_redirected_gradients_and_dead_without():
    network = Closed()
    before = snapshot(network)
    result = optimize_batches(
        plain(network), [channel("relu", 0)], steps=40, size=8, rate=0.5, redirect=40
    )
    assert float(result.score[0, 0]) == 0
    assert float(result.score[0, -1]) > 0.01
    with pytest.raises(DeadUnitError, match=r"relu:0.*dead unit"):
        optimize_batches(plain(network), [channel("relu", 0)], steps=5, size=8, redirect=0)
    assert_unchanged(before, network)


def test_a_unit_with_no_weights_is_dead_with_redirected_gradients_too():
    with pytest.raises(DeadUnitError, match="relu:0"):
        optimize_batches(
            plain(Closed(weight=0.0)), [channel("relu", 0)], steps=20, size=8, redirect=16
        )


def test_the_dead_one_of_several_is_named():
    network = Trunk()
    with torch.no_grad():
        network.second.weight[3] = 0
    model = convscope.load_model(network, size=32, mean=0.5, std=0.5)
    result = optimize_batches(model, [channel("second", 1), channel("second", 3)], steps=3)
    assert result.dead == [1]
    assert (result.image[1] == 0.5).all()
    assert (result.image[0] != 0.5).any()


class Broken(Closed):
    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(image) * math.nan).mean((2, 3)))


def test_nan_is_an_error():
    with pytest.raises(NumericError, match="NaN"):
        optimize_batches(plain(Broken()), [objective("logit", target=0)], steps=3, size=8)


class Detached(Closed):
    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.relu(self.conv(image.detach())).mean((2, 3)))


def test_an_objective_that_cannot_reach_the_image_is_an_error():
    with pytest.raises(NoGradientError, match="conv:0 does not depend on the image"):
        optimize_batches(plain(Detached()), [channel("conv", 0)], steps=3, size=8)


class Deep(nn.Module):
    """Four halvings and a kernel of 2: images below 32 pixels end before it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *[nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2)) for _ in range(4)]
        )
        self.last = nn.Conv2d(3, 4, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.body(image)).mean((2, 3))


def test_an_image_too_small_for_the_layer_is_an_error():
    with pytest.raises(ImageError, match="12 x 12"):
        optimize_batches(plain(Deep(), size=32), [channel("last", 1)], steps=3, size=12)


class Fixed(Deep):
    """Takes its own size only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 2 * 2, 4)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.body(image).flatten(1))


def test_a_network_of_one_size_sees_an_image_of_another_enlarged():
    result = optimize_batches(plain(Fixed(), size=32), [objective("logit", target=1)], size=12)
    assert result.image.shape[-1] == 12
    assert result.score[0, -1] > result.score[0, 0]


class Small(Deep):
    """Takes no size at all."""

    def forward(self, image: Tensor) -> Tensor:
        if getattr(self, "shut", False):
            raise RuntimeError("Kernel size can't be greater than actual input size")
        return super().forward(image)


def test_an_image_on_which_the_network_cannot_run_is_an_error():
    network = Small()
    model = plain(network, size=32)
    with Probe(model) as probe:
        probe.layers  # noqa: B018
    network.shut = True
    with pytest.raises(ConvscopeError, match="Kernel size"):
        optimize_batches(model, [channel("last", 1)], steps=3, size=12)


def test_errors_leave_the_network_as_it_was():
    network = Trunk()
    model = convscope.load_model(network, size=32, mean=0.5, std=0.5)
    with Probe(model) as probe:
        probe.layers  # noqa: B018
    before = snapshot(network)
    for unit in ("second:99", "nowhere:1"):
        with pytest.raises(ConvscopeError):
            convscope.visualize(model, unit, steps=2)
    convscope.visualize(model, "second:1", steps=2, size=16)
    assert_unchanged(before, network)
