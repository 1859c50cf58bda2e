"""What would take too long or too much memory is one sentence, from every verb, and leaves the
network as it was."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.core.duration import HOURS_VARIABLE
from convscope.errors import ComputeError, OptionError
from convscope.networks.model import Model
from convscope.probe import Probe, memory
from convscope.probe.memory import MemoryCost
from tests.quick_verbs import photo, small_model, small_network
from tests.small_networks import assert_unchanged, snapshot

LONG: dict[str, tuple[Callable[[Model], object], str]] = {
    "visualize": (
        lambda model: convscope.visualize(model, "second:1", steps=900, size=16),
        "900 steps of visualize",
    ),
    "many units": (
        lambda model: convscope.visualize(model, "second:*", steps=900, size=16, batch=2),
        "900 steps of visualize 1 to 2 of 8, for each of 4 batches",
    ),
    "class_image": (
        lambda model: convscope.class_image(model, 1, steps=900, size=16),
        "900 steps of",
    ),
    "caricature": (
        lambda model: convscope.caricature(model, photo(), layer="second", steps=900),
        "900 steps of",
    ),
    "invert": (
        lambda model: convscope.invert(model, photo(), layer=["second", "third"], steps=900),
        "steps of invert second, for each of 2 layers",
    ),
    "dream": (
        lambda model: convscope.dream(model, photo(), layer="second", steps=900, octaves=3),
        "900 steps of dream, octave 1 of 3, for each of 3 octaves",
    ),
    "fool": (
        lambda model: convscope.fool(model, photo(), target=2, steps=900, rate=1e-9),
        "900 steps of fool",
    ),
    "activation_grid": (
        lambda model: convscope.activation_grid(model, photo(), layer="second", size=16, steps=900),
        "900 steps of",
    ),
    "semantic_dictionary": (
        lambda model: convscope.semantic_dictionary(
            model, photo(), layer="second", size=16, steps=900
        ),
        "900 steps of",
    ),
    "rise": (
        lambda model: convscope.explain(
            model, [photo(0), photo(1)], method="rise", masks=1_000_000, batch=10
        ),
        "1,000,000 steps of RISE, for each of 2 images",
    ),
    "smoothgrad": (
        lambda model: convscope.explain(model, photo(), method="smoothgrad", samples=90, batch=1),
        "90 steps of saliency on noisy copies",
    ),
    "score_cam": (
        lambda model: convscope.explain(model, photo(), method="score_cam", layer="third", batch=1),
        "steps of Score-CAM",
    ),
    "fused layers": (
        lambda model: convscope.explain(
            model, photo(), layer=["first.0", "first.1", "first", "second", "third", "relu"]
        ),
        "6 steps of layers",
    ),
    "evaluate": (
        lambda model: convscope.evaluate(
            model,
            photo(),
            convscope.explain(model, photo()),
            metric="insertion",
            points=50,
            batch=1,
        ),
        "steps of",
    ),
    "concepts": (
        lambda model: convscope.concepts(
            model,
            [photo(seed) for seed in range(6)],
            layer="second",
            count=3,
            importance=True,
            target=1,
        ),
        "6 steps of photos",
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_what_would_take_too_long_is_refused(name, monkeypatch):
    call, sentence = LONG[name]
    network = small_network()
    model = convscope.load_model(network, size=32, mean=0.5, std=0.25)
    before = snapshot(network)
    monkeypatch.setenv(HOURS_VARIABLE, "1e-9")
    with pytest.raises(OptionError) as raised:
        call(model)
    assert "would take about" in str(raised.value)
    assert sentence in str(raised.value)
    assert_unchanged(before, network)


def test_the_same_work_is_done_where_there_is_time():
    result = convscope.explain(small_model(), photo(), method="smoothgrad", samples=90, batch=1)
    assert np.isfinite(result["heatmap"]).all()


HUGE: dict[str, Callable[[Model], object]] = {
    "visualize": lambda model: convscope.visualize(model, "second:1", steps=2, size=4096),
    "padded": lambda model: convscope.visualize(
        model, "second:1", steps=2, size=256, transforms="pad(1024)"
    ),
    "many at once": lambda model: convscope.visualize(
        model, "second:*", steps=2, size=1024, batch=1000, diversity=20
    ),
    "class_image": lambda model: convscope.class_image(model, 1, steps=2, size=4096),
    "dream": lambda model: convscope.dream(model, photo(), layer="second", steps=2, size=4096),
    "rise": lambda model: convscope.explain(
        model, photo(), method="rise", masks=100_000, batch=100_000
    ),
    "smoothgrad": lambda model: convscope.explain(
        model, photo(), method="smoothgrad", samples=100_000, batch=100_000
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_has_no_room_is_refused(name, monkeypatch):
    """As on a machine with 128 MB free."""
    network = small_network()
    model = convscope.load_model(network, size=32, mean=0.5, std=0.25)
    before = snapshot(network)
    monkeypatch.setattr(memory, "available_memory", lambda: 128 * 2**20)
    with pytest.raises(OptionError) as raised:
        HUGE[name](model)
    assert "of memory in Trunk, and 134 MB are free; take a smaller size" in str(raised.value)
    assert_unchanged(before, network)


def test_an_input_size_without_room_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 128 * 2**20)
    model = convscope.load_model(small_network(), size=16_384)
    with pytest.raises(OptionError, match="1 image of 16,384 x 16,384 pixels need"):
        convscope.layers(model)
    assert model.state.memory.recall(MemoryCost) is not None, "measured on a smaller image"


def test_a_network_of_a_fixed_size_sees_a_large_picture_at_its_own(monkeypatch):
    """It never runs on the large picture, so that needs no room."""

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 512, 3, padding=1)
            self.head = nn.Linear(512 * 16 * 16, 2)

        def forward(self, image):
            return self.head(self.conv(image).flatten(1))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = convscope.load_model(Fixed(), size=16)
    # 250 MB: room for the picture and its optimizer (160 MB), not for 512 maps of it (1.2 GB).
    monkeypatch.setattr(memory, "available_memory", lambda: 250 * 10**6)
    result = convscope.visualize(model, "conv:1", steps=1, size=1280, transforms="none")
    assert result["image"].shape == (1, 3, 1280, 1280)


def test_memory_cost_by_hand():
    """Two convolutions of 8 and 4 maps; the ReLU after the first one works in place."""
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 4, 3, padding=1, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    with Probe(convscope.load_model(network, size=16)) as probe:
        cost = MemoryCost.of(probe.layers, (16, 16))
    values = [8 * 256, 8 * 256, 4 * 64, 4, 4]
    distinct = values[0] + sum(values[2:4])
    assert cost.without_gradients == pytest.approx(1.5 * 4 * max(values) / 256)
    assert math.isclose(cost.with_gradients, 0.5 * 4 * distinct / 256, rel_tol=1.0)


ALLOCATION = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"
    " tried to allocate 99 bytes."
)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(ALLOCATION)], ids=str)
def test_an_allocation_that_fails_is_one_sentence(error):
    class Hungry(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)
            self.is_hungry = False

        def forward(self, image):
            if self.is_hungry:
                raise error
            return self.head(image.mean((2, 3)))

    network = Hungry()
    model = convscope.load_model(network, size=8)
    convscope.predict(model, photo())
    network.is_hungry = True
    with pytest.raises(ComputeError, match="predict: there is not enough memory; take a smaller"):
        convscope.predict(model, photo())
