"""The path to another device, as far as it goes without one: on PyTorch's `meta` device, whose
tensors have no values and refuse to be mixed with those of the processor."""

from __future__ import annotations

import contextlib

import pytest
import torch

import convscope
from convscope.probe import Probe
from convscope.synthesis.objective import channel, objective
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from convscope.synthesis.step import OptimizationStep
from tests.small_networks import Trunk

META = torch.device("meta")


@pytest.fixture
def model(monkeypatch):
    # PyTorch has no autocast for the device without values.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    return convscope.load_model(Trunk().eval(), size=32)


@pytest.mark.parametrize("preset", ["distill", "lucid", "quick", "simonyan", "chollet", "maco"])
@pytest.mark.parametrize(
    "wanted", [channel("third", 1), objective("logit", target=1)], ids=["channel", "logit"]
)
def test_a_step_makes_nothing_on_the_processor(model, preset, wanted):
    with Probe(model) as probe:
        assert len(probe.layers) > 3  # the dry run, which looks at values
    model.to(META)
    # Transforms read how far they move off the device.
    settings = Settings(preset, "visualize", model.preprocessing, size=32, transforms="none")
    streams = RandomStreams.of(0, ["a", "b"], META)
    with Probe(model) as probe:
        parameterization = settings.parameterization(probe, 2, streams)
        image = parameterization()
        step = OptimizationStep(
            probe, [wanted] * 2, streams, settings.config.transforms, settings.config.regularizers
        )
        value, score = step(image)
    gradients = torch.autograd.grad(value.sum(), list(parameterization.parameters()))
    for tensor in (image, value, score, *gradients):
        assert tensor.device == META
    assert value.shape == (2,)


def test_what_an_attribution_needs_stays_on_the_device(model):
    with Probe(model) as probe:
        assert probe.layers["third"].units == 12
    model.to(META)
    image = torch.rand(2, 3, 32, 32, device=META)
    with Probe(model) as probe:
        maps = probe.activations(image, ["second"])["second"]
        assert maps.device == META
        assert probe.scores(image).device == META


def test_a_device_that_is_not_there_is_one_sentence(model):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(convscope.errors.ModelError, match="cannot be used"):
        model.to("cuda")


def test_seconds_on_a_gpu_are_those_between_its_events(monkeypatch):
    """Milliseconds of CUDA events become seconds, with the queue empty at both ends."""
    duel = pytest.importorskip("benchmarks._duel", reason="the benchmarks are in the repository")
    calls: list[str] = []

    class Event:
        def __init__(self, **options: bool) -> None:
            assert options == {"enable_timing": True}

        def record(self) -> None:
            calls.append("record")

        def elapsed_time(self, last: Event) -> float:
            return 250.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: calls.append("synchronize"))
    seconds = duel.timed(lambda: calls.append("run"), "cuda")
    assert seconds == 0.25
    assert calls == ["synchronize", "record", "run", "record", "synchronize"]
