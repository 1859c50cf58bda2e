"""What each idea for speed brings: a step of gradient ascent without it, against a step with all of
them.

    python -m benchmarks.ideas                        about ten minutes on one core
    python -m benchmarks.ideas --cells embedded       only cells that hold the word
    python -m benchmarks.ideas --compile              also torch.compile (needs a C++ compiler)

Eight units of a layer of each of four networks, 224 px, Distill's transforms. All variants take
turns in one process (A B A B). A number is the median over the rounds of the variant's time divided
by that of the step as it is, both in 32 bits: above 1 the idea pays.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks._duel import Patience, Run, duel
from benchmarks.speed_rows import ascent
from benchmarks.speed_rows._networks import living, model_of
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe import inference_copy as preparing
from convscope.probe.inference_copy import inference_copy
from convscope.synthesis import optimize as optimization
from convscope.synthesis import step as optimization_step
from convscope.synthesis import transforms
from convscope.synthesis.objective import channel
from convscope.synthesis.objectives import Maps
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings

CELLS = (
    ("googlenet", "inception4a"),
    ("vgg16", "features.17"),
    ("resnet50", "layer3"),
    ("embedded", "blocks.4"),
)
BATCH, STEPS = 8, 2

Context = Callable[[], Any]


def patched(place: Any, name: str, new: Any) -> Context:
    """A context in which a name means something else."""
    return lambda: mock.patch.object(place, name, new)


def one_by_one(images: Tensor, streams: RandomStreams, steps: Any) -> Tensor:
    """Every transform resampled for itself."""
    for step in steps:
        images = transforms.apply(images, streams, [step])
    return images


def complete(self: optimization_step.OptimizationStep, network_input: Tensor) -> Maps:
    """An evaluation that runs the network to its end, as hooks without an early stop do."""
    maps, self.output = self.probe.activations_and_output(network_input, self.layers)
    return Maps(maps)


@contextmanager
def weights_too(fast: Model) -> Iterator[None]:
    """Gradients of the weights as well, as `backward()` computes them for whoever does not freeze
    the network."""
    weights = [weight for weight in fast.network.parameters() if weight.is_floating_point()]
    plain = torch.autograd.grad

    def grad(outputs: Any, inputs: Any, **options: Any) -> Any:
        return plain(outputs, [*inputs, *weights], **{**options, "allow_unused": True})[
            : len(inputs)
        ]

    fast.network.requires_grad_(True)
    try:
        with mock.patch.object(torch.autograd, "grad", grad):
            yield
    finally:
        fast.network.requires_grad_(False)


def alone(weights: Any, rate: float, **options: Any) -> torch.optim.Optimizer:
    """Adam that moves one tensor after the other."""
    return torch.optim.Adam(weights, rate, **{**options, "foreach": False})


AT_PREPARATION: dict[str, Context] = {
    "batch norms folded into convolutions": patched(preparing, "fold_batch_norms", lambda *_: None),
    "channels last": patched(torch, "channels_last", torch.contiguous_format),
    "gradients of stems by forward convolutions": patched(preparing, "install", lambda _: None),
}
"""Idea -> a network made without it."""

AT_EACH_STEP: dict[str, Context] = {
    "channels last": AT_PREPARATION["channels last"],
    "stopping at the layer": patched(optimization_step.OptimizationStep, "_activations", complete),
    "transforms multiplied out to one resampling": patched(optimization_step, "apply", one_by_one),
    "Adam over all tensors at once (foreach)": lambda: mock.patch.dict(
        optimization._OPTIMIZERS, adam=alone
    ),
    "freed memory kept between steps": nullcontext,
}
"""Idea -> a step without it."""

UNKEPT = "freed memory kept between steps"
WEIGHTS = "no gradients of weights"


def step(fast: Model, layer: str, units: list[int], without: str = "") -> Run:
    """Seconds per image and step."""
    settings = Settings("distill", "visualize", steps=STEPS + 1, size=ascent.SIZE)
    goals = [channel(layer, unit) for unit in units]
    optimize = (
        vars(optimization.optimize)["__wrapped__"] if without == UNKEPT else optimization.optimize
    )
    context: Context = (
        (lambda: weights_too(fast))
        if without == WEIGHTS
        else AT_EACH_STEP.get(without, nullcontext)
    )

    def run() -> float:
        ends: list[float] = []

        def done(image: Tensor, output: Any) -> bool:
            ends.append(time.perf_counter())
            return False

        streams = RandomStreams.of(
            0, RandomStreams.keys([goal.seed_key for goal in goals]), fast.device
        )
        with context(), Probe(fast) as probe:
            parameterization = settings.parameterization(probe, len(goals), streams)
            optimize(probe, goals, parameterization, streams, settings.config, stop_condition=done)
        return (ends[-1] - ends[0]) / (len(ends) - 1) / len(units)

    return run


def prepared(
    model: Model, layer: str, context: Context = nullcontext, *, half: bool = False
) -> Model:
    """A prepared network of its own, since copies are kept per network."""
    separate = copy.copy(model)
    separate.network = copy.deepcopy(model.network)
    with context():
        fast = inference_copy(separate, [layer], half=half)
    assert fast.is_frozen
    return fast


def compiled(fast: Model, layer: str) -> dict[str, Run]:
    """To the layer and back, compiled and not; nothing where the network cannot be traced."""
    from torchvision.models.feature_extraction import create_feature_extractor

    network = copy.deepcopy(fast.network)
    for module in network.modules():
        module.__dict__.pop("forward", None)
    try:
        short: nn.Module = create_feature_extractor(network, [layer])
    except Exception:  # torch.fx refuses control flow with errors of many kinds
        return {}
    image = torch.rand(BATCH, 3, ascent.SEEN, ascent.SEEN).contiguous(
        memory_format=torch.channels_last
    )

    def run(what: Any) -> None:
        leaf = image.detach().requires_grad_()
        entries = what(leaf)[layer]
        torch.autograd.grad(entries, leaf, torch.ones_like(entries))

    fused = torch.compile(short)
    return {"compiled": lambda: run(fused), "not compiled": lambda: run(short)}


def measure(name: str, layer: str, patience: Patience, with_compile: bool) -> dict[str, float]:
    """Idea -> how many times longer a step takes without it."""
    model = model_of(name)
    units = living(model, layer, BATCH)
    fast = prepared(model, layer)
    runs: dict[str, Run] = {"": step(fast, layer, units)}
    for idea in (*AT_EACH_STEP, WEIGHTS):
        runs[idea] = step(fast, layer, units, idea)
    for idea, context in AT_PREPARATION.items():
        runs[idea] = step(prepared(model, layer, context), layer, units, idea)
    runs["eight images at once"] = step(fast, layer, units[:1])
    half = prepared(model, layer, half=True)
    runs["half"] = step(half, layer, units)
    runs["half, one"] = step(half, layer, units[:1])
    timing = duel(runs, patience)
    ratios = {
        idea: timing.ratio(idea, "")[0] for idea in runs if idea and not idea.startswith("half")
    }
    ratios["bfloat16"] = timing.ratio("", "half")[0]
    ratios["eight images at once, in bfloat16"] = timing.ratio("half, one", "half")[0]
    if with_compile and (pair := compiled(fast, layer)):
        began = time.perf_counter()
        pair["compiled"]()
        print(f"  compiling took {time.perf_counter() - began:.0f} s", flush=True)
        ratios["torch.compile (not used)"] = duel(pair, patience).ratio("not compiled", "compiled")[
            0
        ]
    return ratios


def table(ratios: dict[str, dict[str, float]]) -> str:
    """Ideas by cells, the one that pays most first."""
    ideas = sorted(
        {idea for cell in ratios.values() for idea in cell},
        key=lambda idea: -mean_over_cells(ratios, idea),
    )
    lines = [
        "| idea | " + " | ".join(ratios) + " | geometric mean |",
        "|---|" + "---|" * (len(ratios) + 1),
    ]
    for idea in ideas:
        cells = " | ".join(f"{cell[idea]:.2f}" if idea in cell else "" for cell in ratios.values())
        lines.append(f"| {idea} | {cells} | {mean_over_cells(ratios, idea):.2f} |")
    return "\n".join(lines) + "\n"


def mean_over_cells(ratios: dict[str, dict[str, float]], idea: str) -> float:
    """The geometric mean over the cells that have it."""
    return statistics.geometric_mean(cell[idea] for cell in ratios.values() if idea in cell)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--cells", default="", help="only cells whose network or layer holds this word"
    )
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--compile", action="store_true", help="torch.compile too")
    arguments = options.parse_args()
    torch.set_num_threads(arguments.threads)
    ratios: dict[str, dict[str, float]] = {}
    for name, layer in CELLS:
        if arguments.cells in f"{name} {layer}":
            ratios[f"{name} {layer}"] = measure(
                name, layer, Patience(arguments.rounds, arguments.rounds), arguments.compile
            )
            print(
                f"{name} {layer}: "
                + ", ".join(
                    f"{idea} {ratio:.2f}" for idea, ratio in ratios[f"{name} {layer}"].items()
                ),
                flush=True,
            )
    print(table(ratios))


if __name__ == "__main__":
    main()
