"""The part of a network that follows a layer, run again and again on changed activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from convscope.errors import ImageError, LayerError, ModelError
from convscope.networks.concept_layer import module_and_call
from convscope.networks.layout import Layout, first_tensor, image_size, replace_first
from convscope.probe.runner import Runner

TOLERANCE = 1e-4
"""How far a replayed run may be from the original before it is not trusted (relative to the largest
score)."""

Replay = Literal["view", "copy", "whole"]
"""How recorded outputs are handed on for a batch: as broadcast views, as copies (for networks that
write in place), or not at all, so that the whole network runs."""


class PartialForward:
    """The part of a network that follows a layer, ready to be run on changed activations.

    `maps` (1 c h w) is what the layer gave, `output` what the network returned. The modules that
    ended before the layer are not run again: their recorded outputs are handed on, broadcast over
    the batch. Before that is trusted, the original activation is replayed and compared with the
    original scores; a network that this does not fit is run as a whole instead.

    Args:
        runner: runs the network.
        image: one network input (1 c h w).
        layer: its name; `name#k` is its k-th run.
        calls: how often the layer runs in one forward pass.
        layout: how the outputs of the layers become maps.
    """

    def __init__(
        self, runner: Runner, image: Tensor, layer: str, calls: int, layout: Layout
    ) -> None:
        self._runner = runner
        self._layout = layout
        self._image = image
        self._layer = layer
        base, call = module_and_call(layer)
        self._module = runner.model.modules[base]
        self._call = call or calls
        self._records: dict[nn.Module, list[object]] = {}
        with torch.no_grad():
            self.output, self._raw, self._layer_output = self._record()
        self.maps = layout.to_maps(self._raw, layer, image_size(image))
        self._way = self._cheapest_way()

    @property
    def nbytes(self) -> int:
        """About what its records hold in memory."""
        outputs = [first_tensor(output) for queue in self._records.values() for output in queue]
        tensors = [self._image, self.maps, self._raw, *filter(torch.is_tensor, outputs)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def __call__(self, maps: Tensor) -> object:
        """The network's raw output with the layer's maps (m c h w) in place of its own;
        differentiable where `maps` is."""
        with torch.set_grad_enabled(maps.requires_grad):
            return self._replay(maps, self._way)

    def scores(self, maps: Tensor) -> Tensor:
        """Class scores (m classes) with the layer's maps replaced by `maps` (m c h w)."""
        return self._runner.model.scores(self(maps))

    def _record(self) -> tuple[object, Tensor, object]:
        """One run; of every module that ends before the layer does, the outermost one's output is
        kept."""
        frames: list[list[tuple[nn.Module, object]]] = [[]]
        calls = 0
        layer_output: list[tuple[Tensor, object]] = []

        def before(module: nn.Module, inputs: object) -> None:
            if not layer_output:
                frames.append([])

        def after(module: nn.Module, inputs: object, output: object) -> None:
            nonlocal calls
            if layer_output:
                return
            frames.pop()
            if module is self._module:
                calls += 1
                if calls == self._call:
                    tensor = first_tensor(output)
                    if tensor is None:
                        raise LayerError(
                            f"Layer {self._layer!r} gives no tensor, so it cannot be changed."
                        )
                    layer_output.append((tensor.clone(), output))
                    return
            frames[-1].append((module, output))

        handles: list[RemovableHandle] = []
        try:
            for module in self._runner.model.network.modules():
                handles += [
                    module.register_forward_pre_hook(before),
                    module.register_forward_hook(after),
                ]
            output = self._runner.run(self._image)
        finally:
            for handle in handles:
                handle.remove()
        if not layer_output:
            raise LayerError(
                f"Layer {self._layer!r} did not run on this image, so it cannot be changed."
            )
        for frame in frames:
            for module, result in frame:
                self._records.setdefault(module, []).append(result)
        return output, *layer_output[0]

    def _cheapest_way(self) -> Replay:
        """The cheapest way to go on that gives the original output for the original activation."""
        original = first_tensor(self.output)
        if original is None or original.numel() == 0:
            return "whole"  # no scores: whoever asks for some says so
        scale = original.abs().max().clamp_min(1e-12)
        twice = self.maps.expand(2, -1, -1, -1)
        ways: tuple[Replay, ...] = ("view", "copy")
        for way in ways:
            try:
                with torch.no_grad():
                    replayed = first_tensor(self._replay(twice, way))
            except (RuntimeError, ValueError, TypeError, ImageError, ModelError):
                continue
            if (
                replayed is not None
                and replayed.shape == (2, *original.shape[1:])
                and bool((replayed - original).abs().max() / scale <= TOLERANCE)
            ):
                return way
        return "whole"

    def _replay(self, maps: Tensor, way: Replay) -> object:
        """One run on `maps` with every recorded module answering from its record."""
        # A copy, since the network may go on in place.
        replacement = self._layout.from_maps(
            maps.to(self._raw.dtype), self._raw, self._layer, image_size(self._image)
        ).clone()
        answers = self._answers(replacement, maps.shape[0], way)
        patched: list[tuple[nn.Module, Callable[..., object] | None]] = []
        try:
            for module, answer in answers.items():
                patched.append((module, module.__dict__.get("forward")))
                module.forward = answer
            image = self._image.expand(maps.shape[0], -1, -1, -1)
            return self._runner.run(image if way == "view" else image.clone())
        finally:
            for module, forward in patched:
                if forward is None:
                    del module.forward
                else:
                    module.forward = forward

    def _answers(
        self, replacement: Tensor, count: int, way: Replay
    ) -> dict[nn.Module, Callable[..., object]]:
        """What stands in for the `forward` of each recorded module and of the layer in one replay
        of `count` images."""
        queues = (
            {}
            if way == "whole"
            else {module: list(outputs) for module, outputs in self._records.items()}
        )
        calls = 0

        def broadcast(output: object) -> object:
            tensor = first_tensor(output)
            if tensor is None or tensor.shape[0] != 1:
                return output
            wide = tensor.expand(count, *tensor.shape[1:])
            return replace_first(output, wide if way == "view" else wide.clone())

        def answer(module: nn.Module, forward: Callable[..., object]) -> Callable[..., object]:
            def run(*args: object, **kwargs: object) -> object:
                nonlocal calls
                queue = queues.get(module)
                if queue:
                    calls += module is self._module
                    return broadcast(queue.pop(0))
                if module is self._module:
                    calls += 1
                    if calls == self._call:
                        output = self._layer_output if way != "whole" else forward(*args, **kwargs)
                        return replace_first(output, replacement)
                return forward(*args, **kwargs)

            return run

        return {module: answer(module, module.forward) for module in {*queues, self._module}}
