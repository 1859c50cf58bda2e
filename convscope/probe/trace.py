"""One dry run that says which layers a network has, what they give, and which of them are read."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from convscope.errors import ImageError, ModelError
from convscope.networks.layer import PASSING, Layer, Layers
from convscope.networks.layout import AxisLayout, Layout, first_tensor
from convscope.networks.layout_inference import LayoutInference, channel_order
from convscope.networks.state import DryRun
from convscope.networks.task import detection_tokens, infer_task
from convscope.probe.memory import MemoryCost
from convscope.probe.runner import Runner

MAX_UNREAD_LAYERS = 48
"""How many layers from the end are asked whether their places matter: more than a transformer's
last two blocks have."""

LARGE_INPUT = 2048 * 2048
"""Pixels of an own size from which on a smaller image goes first."""

SHRINKING = 32
"""By how much that one's sides are smaller."""


def dry_run_of(runner: Runner) -> DryRun:
    """The dry run at the model's own size: made once, and remembered with the network."""
    model, layout = runner.model, runner.model.layout
    key = (model.state.structure, model.size, model.channels, layout.grid, layout.channels_last)

    def run() -> DryRun:
        _require_room(runner)
        dry_run = trace(runner)
        model.state.memory.keep(MemoryCost.of(dry_run.layers, model.size))
        return dry_run

    return model.state.memory.dry_run(key, run)


def _require_room(runner: Runner) -> None:
    """Refuse an own size that there is no memory for; what the network takes of it is measured on a
    smaller image."""
    model = runner.model
    if math.prod(model.size) > LARGE_INPUT:
        smaller = copy.copy(model)
        height, width = (math.ceil(side / SHRINKING) for side in model.size)
        smaller.preprocessing = replace(model.preprocessing, size=(height, width))
        try:
            cost = MemoryCost.of(trace(Runner(smaller)).layers, smaller.size)
        except ImageError:  # the network takes its own size only
            return
        model.state.memory.keep(cost)
    runner.require_room(1, model.size, gradients=False)


def trace(runner: Runner) -> DryRun:
    """All layers of the network, from one dry run on a speckled image: every module that gave a
    tensor, in the order in which the last runs ended; and how their outputs become maps."""
    model = runner.model
    recorder = _Recorder(runner)
    with runner.held_still(), torch.no_grad(), recorder.hooks():
        output = runner.run(model.noise_input())
    # What the task is needs no run of its own then.
    task_key = ("task", model.state.structure)
    task = infer_task(output, getattr(model.network, "num_classes", None))
    model.state.memory.tasks.setdefault(task_key, task)
    layout = replace(model.layout, axis_layouts=dict(recorder.axis_layouts))
    rows = recorder.layers()
    total = sum(weight.numel() for weight in model.network.parameters())
    layers = Layers(rows, total)
    if layers:
        layers = Layers(rows, total, _unread(runner, layers, layout, recorder.wrapped))
    return DryRun(layers, layout)


class _Recorder:
    """What the hooks of the dry run write down of each module's output."""

    def __init__(self, runner: Runner) -> None:
        self.model = model = runner.model
        self.names = {module: name for name, module in reversed(model.modules.items())}
        self.wrapped: set[str] = set()
        """Layers whose output is a structure around a tensor."""
        self.axis_layouts: dict[str, list[AxisLayout]] = defaultdict(list)
        # The layout looks up what is known so far while the run goes on.
        self._layout = replace(model.layout, axis_layouts=self.axis_layouts)
        num_detections = detection_tokens(getattr(model.network, "config", None))
        self._inference = LayoutInference(self._layout, model.size, num_detections)
        self._calls: dict[str, int] = defaultdict(int)
        self._last_runs: dict[str, tuple[int, tuple[int, ...], str]] = {}
        self._makers: dict[int, tuple[str, Tensor]] = {}
        self._order = 0

    @contextmanager
    def hooks(self) -> Iterator[None]:
        handles: list[RemovableHandle] = []
        try:
            for module in self.names:
                handles += [
                    module.register_forward_pre_hook(self._inference.before_module),
                    module.register_forward_hook(self._record),
                ]
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _record(self, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        tensor = first_tensor(output)
        if (
            tensor is None
            or tensor.ndim == 0
            or tensor.shape[0] == 0
            or not tensor.is_floating_point()
        ):
            return
        name = self.names[module]
        self._order += 1
        self._calls[name] += 1
        if type(module).__name__.endswith(PASSING) and any(tensor is value for value in inputs):
            source = name
        else:
            # The tensor is held until the end, since a freed one's number is given out again.
            source = self._makers.setdefault(id(tensor), (name, tensor))[0]
        if tensor is not output:
            self.wrapped.add(name)
        self.axis_layouts[name].append(self._inference.infer(channel_order(module), inputs, tensor))
        maps = self._layout.to_maps(tensor, name, self.model.size)
        self._last_runs[name] = (self._order, tuple(maps.shape[1:]), source)

    def layers(self) -> list[Layer]:
        """One row per module that ran."""
        modules = self.model.modules
        rows = []
        for name, (order, shape, source) in self._last_runs.items():
            module = modules[name]
            parameters = sum(weight.numel() for weight in module.parameters())
            kind: str = module._get_name()  # type: ignore[no-untyped-call]
            channels, height, width = shape
            rows.append(
                Layer(
                    name,
                    kind,
                    (channels, height, width),
                    parameters,
                    self._calls[name],
                    order,
                    source,
                )
            )
        return rows


def _unread(runner: Runner, layers: Layers, layout: Layout, wrapped: set[str]) -> set[str]:
    """The late layers whose places no score depends on: only the class token is read afterwards, or
    only another output.

    Asked only where it may be so: the last layer has such tokens, or its output is a structure
    (`wrapped`).
    """
    last = layers.last_spatial()
    if last is None or (layout.axis_layouts[last][-1].extra == 0 and last not in wrapped):
        return set()
    names = [name for name, layer in layers.items() if layer.shape == layers[last].shape][
        -MAX_UNREAD_LAYERS:
    ]
    model = runner.model
    with runner.held_still(), torch.enable_grad():
        with runner.capture(names, layers, leaves=names, complete=True) as capture:
            try:
                scores = model.scores(runner.run(model.noise_input()))
            except ModelError:  # a detector or a segmenter has no class scores to ask about
                return set()
        if not scores.requires_grad:
            return set()
        gradients = torch.autograd.grad(
            scores.norm(), [capture.take(name) for name in names], allow_unused=True
        )
    unread = {
        name
        for name, gradient in zip(names, gradients, strict=True)
        if gradient is None or not bool(layout.to_maps(gradient, name, model.size).any())
    }
    # What a structure hands on beside the tensor was made from that tensor before it could be
    # exchanged.
    unread |= {name for name in names if name in wrapped and layers[name].source != name}
    return unread if len(unread) < len(names) else set()
