"""Feature visualization against Lucent, over 16 layers of four networks: seconds per image and
step.

Both climb eight units of a layer with Adam on a spectrum of 224 px under Distill's transforms. Ours
is timed from the end of one step to the end of a later one. Lucent is timed from its first
transform to the end of its last step, its set-up left out. The limit is one run of the same
prepared network to the layer and back to its input, on images as large as the transforms make them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks._duel import Duel, Row, Run, Setting, duel, rows
from benchmarks.speed_rows._missing import missing
from benchmarks.speed_rows._networks import LAYERS, living, model_of, network_of
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.probe.malloc import keep_freed_memory
from convscope.synthesis.objective import channel
from convscope.synthesis.optimize import optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings

SIZE = 224
BATCH = {"cpu": 8, "cuda": 64}
PAD = 16
SEEN = SIZE + 2 * PAD - 16 - 8
"""Side of what the network sees: Distill's two jitters are cuts that are 16 and 8 px smaller."""
WANTED = 10.0
ALLOWED = 1.10


def ours(
    model: Model, layer: str, units: list[int], steps: int, *, half: bool, preset: str = "distill"
) -> Run:
    """Seconds a step, between the ends of steps."""
    settings = Settings(preset, "visualize", steps=steps + 1, size=SIZE)
    fast = inference_copy(model, [layer], half=half)
    goals = [channel(layer, unit) for unit in units]

    def run() -> float:
        ends: list[float] = []

        def done(image: Tensor, output: Any) -> bool:
            if image.is_cuda:
                torch.cuda.synchronize()
            ends.append(time.perf_counter())
            return False

        streams = RandomStreams.of(
            0, RandomStreams.keys([goal.seed_key for goal in goals]), model.device
        )
        with Probe(fast) as probe:
            parameterization = settings.parameterization(probe, len(goals), streams)
            optimize(probe, goals, parameterization, streams, settings.config, stop_condition=done)
        return (ends[-1] - ends[0]) / (len(ends) - 1)

    return run


def lucents(network: Any, layer: str, units: list[int], steps: int) -> Run:
    """Seconds a step, as Lucent's users run it."""
    from lucent.optvis import objectives, param, render, transform

    goal = sum(
        objectives.channel(layer.replace(".", "_"), unit, batch=place)
        for place, unit in enumerate(units)
    )
    scales = [1, 0.975, 1.025, 0.95, 1.05]
    steps_of = [
        transform.pad(PAD, mode="constant", constant_value=0.5),
        transform.jitter(16),
        transform.random_scale(scales),
        transform.random_rotate(list(range(-5, 6))),
        transform.jitter(8),
    ]

    def run() -> float:
        began: list[float] = []

        def start(image: Tensor) -> Tensor:
            began.append(time.perf_counter())
            return image

        render.render_vis(
            network,
            goal,
            lambda: param.image(SIZE, batch=len(units)),
            transforms=[start, *steps_of],
            thresholds=(steps,),
            progress=False,
            show_image=False,
        )
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ended = time.perf_counter()
        # It leaves a hook on every module.
        for module in network.modules():
            module._forward_hooks.clear()
        return (ended - began[0]) / steps

    return run


def bare(model: Model, layer: str, count: int, steps: int, *, half: bool) -> Run:
    """Seconds of one way to the layer and back, and nothing else; the first of several does not
    count, as with ours."""
    fast = inference_copy(model, [layer], half=half)
    entered = torch.rand(count, 3, SEEN, SEEN, device=model.device).contiguous(
        memory_format=torch.channels_last
    )

    class Stop(Exception):
        pass

    def halt(module: Any, given: Any, output: Tensor) -> None:
        kept.append(output)
        raise Stop

    kept: list[Tensor] = []

    def once() -> None:
        leaf = entered.detach().requires_grad_()
        handle = fast.modules[layer].register_forward_hook(halt)
        try:
            with torch.autocast(leaf.device.type, torch.bfloat16, enabled=half):
                fast.network(leaf)
        except Stop:
            pass
        finally:
            handle.remove()
        output = kept.pop()
        torch.autograd.grad(output, leaf, torch.ones_like(output))

    @keep_freed_memory()
    def run() -> float:
        once()
        if entered.is_cuda:
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            once()
        if entered.is_cuda:
            torch.cuda.synchronize()
        return (time.perf_counter() - began) / steps

    return run


def cells(quick: bool) -> list[tuple[str, str]]:
    """All 16, or the third layer of each network."""
    return [
        (name, layer)
        for name, layers in LAYERS.items()
        for place, layer in enumerate(layers)
        if not quick or place == 2
    ]


def run(setting: Setting) -> Iterator[Row]:
    """A row for each layer in full precision, one in half precision, and their geometric means."""
    absent = missing("lucent")
    batch = 2 if setting.quick else BATCH[torch.device(setting.device).type]
    steps = 1 if setting.device == "cpu" else 16
    kept: dict[str, list[Row]] = {"": [], ", bfloat16": []}
    for name, layer in cells(setting.quick):
        model = model_of(name, setting.device)
        units = living(model, layer, batch)
        contestants: dict[str, Run] = {
            "ours": ours(model, layer, units, steps, half=False),
            "ours in half": ours(model, layer, units, steps, half=True),
            "limit": bare(model, layer, batch, steps, half=False),
            "limit in half": bare(model, layer, batch, steps, half=True),
        }
        if not absent:
            contestants["Lucent"] = lucents(network_of(name, setting.device), layer, units, 1)
        timing = duel(contestants, setting.patience, setting.device)
        per_image = Duel(
            {who: [seconds / batch for seconds in times] for who, times in timing.times.items()},
            timing.once,
        )
        for half, title in (("", ""), (" in half", ", bfloat16")):
            entries = rows(
                per_image,
                group="ascent",
                job=f"visualize {layer}{title}",
                network=name,
                unit="image and step",
                ours=f"ours{half}",
                limit=f"limit{half}",
                note=f"batch of {batch}",
            )
            for row in entries:
                row.missing = absent
                kept[title].append(row)
                yield row
    for title, each in kept.items():
        yield mean(each, f"visualize, geometric mean{title}", absent, batch)


def mean(found: list[Row], job: str, absent: str, batch: int) -> Row:
    """The geometric mean over the layers, with the quartiles over them."""
    row = Row(
        "ascent",
        job,
        f"{len(found)} layers",
        "Lucent",
        "image and step",
        wanted=WANTED,
        allowed=ALLOWED,
        missing=absent,
    )
    row.note = f"batch of {batch}; spread over layers"
    for key in ("ratio", "over_limit"):
        values = [value[0] for each in found if (value := getattr(each, key)) is not None]
        if values:
            logs = torch.tensor(values).log()
            middle, low, high = (
                float(part.exp())
                for part in (logs.mean(), logs.quantile(0.25), logs.quantile(0.75))
            )
            setattr(row, key, (middle, low, high))
    return row
