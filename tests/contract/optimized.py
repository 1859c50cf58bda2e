"""A small network, and images optimized for objectives on it from a fixed start."""

from __future__ import annotations

import torch

import convscope
from convscope.probe import Probe
from convscope.synthesis import objectives, parameterizations
from convscope.synthesis.config import OptimizationConfig
from convscope.synthesis.objective import Objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from tests.small_networks import Trunk

OBJECTIVES = objectives.registry.names()


def options_of(name: str) -> dict[str, object]:
    """Options to try an objective with; most read the layer `third`."""
    options: dict[str, dict[str, object]] = {
        "channel": {"layer": "second", "index": 2},
        "neuron": {"layer": "second", "index": 1},
        "direction": {"layer": "second", "vector": (1.0, -1.0, 0.5, 0, 0, 0, 0, 2.0)},
        "logit": {"target": 1},
        "probability": {"target": 1},
        "score": {"question": "value:1"},
    }
    return options.get(name, {"layer": "third"})


def trunk(channels: int = 3, size: int = 32):
    torch.manual_seed(0)
    return convscope.load_model(
        Trunk(channels), size=size, mean=[0.4] * channels, std=[0.3] * channels
    )


def optimize_batches(
    model, wanted: list[Objective], *, steps: int = 15, size: int = 32, sd: float = 0.01, **config
):
    streams = RandomStreams.of(0, RandomStreams.keys([each.seed_key for each in wanted]))
    parameterization = parameterizations.registry.get("fourier")(
        (len(wanted), model.channels, size, size), streams, sd=sd
    )
    photo = torch.rand(1, model.channels, *model.size, generator=torch.Generator().manual_seed(3))
    layers = list(dict.fromkeys(layer for each in wanted for layer in each.layers))
    with Probe(model) as probe:
        reference = (
            {
                layer: maps.detach()
                for layer, maps in probe.activations(model.preprocess(photo), layers).items()
            }
            if layers
            else {}
        )
        return optimize(
            probe,
            wanted,
            parameterization,
            streams,
            OptimizationConfig(steps=steps, **{"redirect": 4, **config}),
            reference=reference,
        ).require_gradient()
