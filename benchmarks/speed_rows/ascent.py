"""Feature visualization against Lucent, over six layers of four networks: seconds per image and
step.

Both optimize units of a layer with Adam on a spectrum of 224 px under Distill's transforms. Ours is
`convscope.visualize`, as its users call it; what counts are the steps after the first one, from one
report of its progress to another. Lucent is timed from its transform in one step to that in a later
step, without the set-up and the first step; of a batch as large as ours and of single images, what
is cheaper for an image counts. The limit is one run of the same prepared network to the layer and
back to its input, on images as large as the transforms make them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

import convscope
from benchmarks._duel import Duel, Row, Run, Setting, duel, rows
from benchmarks.judges import lucent_transforms
from benchmarks.speed_rows._missing import missing, missing_bfloat16
from benchmarks.speed_rows._networks import LAYERS, living, model_of, network_of
from convscope.core.progress import report_to
from convscope.networks.model import Model
from convscope.probe.inference_copy import inference_copy
from convscope.probe.malloc import keep_freed_memory

SIZE = 224
BATCH = {"cpu": 4, "cuda": 64}
WARM_STEPS = {"cpu": 3, "cuda": 16}
"""Steps that are timed, after one that is not."""
PAD = 16
SEEN = SIZE + 2 * PAD - 16 - 8
"""Side of what the network sees: Distill's two jitters are cuts that are 16 and 8 px smaller."""
WANTED = 10.0
ALLOWED = {"": 1.05, ", bfloat16": 1.10}
"""The most over the limit, by what the row's title adds for the precision."""


def ours(
    model: Model, layer: str, units: list[int], steps: int, *, half: bool, preset: str = "distill"
) -> Run:
    """Seconds a step of the verb, the first step left out."""
    names = [f"{layer}:{unit}" for unit in units]

    def call() -> None:
        convscope.visualize(
            model,
            names,
            preset=preset,
            steps=steps + 1,
            size=SIZE,
            half=half,
            batch=len(names),
        )

    return seconds_a_step(call, "visualize", model.device.type)


def seconds_a_step(call: Callable[[], None], task: str, device: str) -> Run:
    """Seconds a step of a verb that reports its progress as `task`, the first step left out."""

    def run() -> float:
        reports: list[float] = []

        def report(what: str, done: int, total: int) -> None:
            if what == task:
                if device == "cuda":
                    torch.cuda.synchronize()
                reports.append(time.perf_counter())

        with report_to(report):
            call()
        return (reports[-1] - reports[1]) / (len(reports) - 2)

    return run


def lucents(network: Any, layer: str, units: list[int], steps: int) -> Run:
    """Seconds a step, as Lucent's users run it; the first step is left out."""
    from lucent.optvis import objectives, param, render, transform

    goal = sum(
        objectives.channel(layer.replace(".", "_"), unit, batch=place)
        for place, unit in enumerate(units)
    )
    steps_of = lucent_transforms(transform)

    def run() -> float:
        began: list[float] = []

        def start(image: Tensor) -> Tensor:
            if image.is_cuda:
                torch.cuda.synchronize()
            began.append(time.perf_counter())
            return image

        render.render_vis(
            network,
            goal,
            lambda: param.image(SIZE, batch=len(units)),
            transforms=[start, *steps_of],
            thresholds=(steps + 2,),
            progress=False,
            show_image=False,
        )
        # It leaves a hook on every module.
        for module in network.modules():
            module._forward_hooks.clear()
        return (began[-1] - began[1]) / (len(began) - 2)

    return run


def bare(model: Model, layer: str, count: int, steps: int, *, half: bool) -> Run:
    """Seconds of one way to the layer and back, and nothing else; the first of several does not
    count, as with ours."""
    once = there_and_back(model, layer, (count, 3, SEEN, SEEN), half=half)
    is_cuda = model.device.type == "cuda"

    @keep_freed_memory()
    def run() -> float:
        once()
        if is_cuda:
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            once()
        if is_cuda:
            torch.cuda.synchronize()
        return (time.perf_counter() - began) / steps

    return run


def there_and_back(
    model: Model, layer: str | None, shape: tuple[int, ...], *, half: bool = False
) -> Callable[[], None]:
    """One run of the prepared network to a layer, or to its end, and back to its input."""
    layers = [] if layer is None else [layer]
    fast = inference_copy(model, layers, half=half)
    entered = torch.rand(shape, device=model.device).contiguous(memory_format=torch.channels_last)

    class Stop(Exception):
        pass

    def halt(module: Any, given: Any, output: Tensor) -> None:
        kept.append(output)
        raise Stop

    kept: list[Tensor] = []

    def once() -> None:
        leaf = entered.detach().requires_grad_()
        handles = [fast.modules[name].register_forward_hook(halt) for name in layers]
        try:
            with torch.autocast(leaf.device.type, torch.bfloat16, enabled=half):
                kept.append(fast.network(leaf))
        except Stop:
            pass
        finally:
            for handle in handles:
                handle.remove()
        output = kept.pop()
        torch.autograd.grad(output, leaf, torch.ones_like(output))

    return once


def cells(quick: bool) -> list[tuple[str, str]]:
    """The third layer of each network, and the second where a step does not take a second."""
    return [
        (name, layer)
        for name, layers in LAYERS.items()
        for place, layer in enumerate(layers)
        if place == 2 or (place == 1 and name in ("resnet50", "embedded") and not quick)
    ]


def run(setting: Setting) -> Iterator[Row]:
    """A row for each layer in full precision, one in half precision, and their geometric means."""
    absent = missing("lucent")
    batch = 2 if setting.quick else BATCH[torch.device(setting.device).type]
    steps = WARM_STEPS[torch.device(setting.device).type]
    no_half = missing_bfloat16(setting.device)
    precisions = {"": ""} if no_half else {"": "", " in half": ", bfloat16"}
    kept: dict[str, list[Row]] = {title: [] for title in precisions.values()}
    for name, layer in cells(setting.quick):
        model = model_of(name, setting.device)
        units = living(model, layer, batch)
        contestants: dict[str, Run] = {
            f"{who}{half}": make(half=bool(half))
            for half in precisions
            for who, make in (
                ("ours", partial(ours, model, layer, units, steps)),
                ("limit", partial(bare, model, layer, batch, steps)),
            )
        }
        if not absent:
            network = network_of(name, setting.device)
            contestants["Lucent"] = lucents(network, layer, units, steps)
            contestants["Lucent, alone"] = lucents(network, layer, units[:1], steps)
        per_image = cheapest(duel(contestants, setting.patience, setting.device), batch)
        for half, title in precisions.items():
            entries = rows(
                per_image,
                group="ascent",
                job=f"visualize {layer}{title}",
                network=name,
                unit="image and step",
                ours=f"ours{half}",
                limit=f"limit{half}",
                note=f"batch of {batch}",
                absent={"Lucent": absent},
            )
            for row in entries:
                kept[title].append(row)
                yield row
    for title, layer_rows in kept.items():
        yield mean(layer_rows, title, absent, batch)
    if no_half:
        yield mean([], ", bfloat16", no_half, batch)


def cheapest(timing: Duel, batch: int) -> Duel:
    """Seconds for an image; of Lucent in a batch and alone, what is less in the median."""
    times = {
        who: [seconds / (1 if who.endswith("alone") else batch) for seconds in values]
        for who, values in timing.times.items()
    }
    alone = times.pop("Lucent, alone", None)
    if alone is not None and statistics.median(alone) < statistics.median(times["Lucent"]):
        times["Lucent"] = alone
    return Duel(times, timing.once)


def mean(layer_rows: list[Row], title: str, absent: str, batch: int) -> Row:
    """The geometric mean over the layers, with the least and the greatest of them."""
    row = Row(
        "ascent",
        f"visualize, geometric mean{title}",
        f"{len(layer_rows)} layers",
        "Lucent",
        "image and step",
        wanted=WANTED,
        allowed=ALLOWED[title],
        missing=absent,
        note=f"batch of {batch}",
        interval="range over layers",
    )
    row.ratio = mean_and_range([layer.ratio for layer in layer_rows])
    row.over_limit = mean_and_range([layer.over_limit for layer in layer_rows])
    return row


def mean_and_range(
    ratios: list[tuple[float, float, float] | None],
) -> tuple[float, float, float] | None:
    """The geometric mean of medians, the least and the greatest; None where there is none."""
    medians = [ratio[0] for ratio in ratios if ratio is not None]
    if not medians:
        return None
    return statistics.geometric_mean(medians), min(medians), max(medians)
