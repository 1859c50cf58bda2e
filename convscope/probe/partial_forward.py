"""The part of a network that follows a layer, run again and again on changed activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from convscope.errors import ImageError, LayerError, ModelError
from convscope.networks.layout import first_tensor, replace_first

if TYPE_CHECKING:
    from convscope.probe.probe import Probe

TOLERANCE = 1e-4
"""How far a replayed run may be from the original before it is not trusted (relative to the largest
score)."""


class PartialForward:
    """The part of a network that follows a layer, ready to be run on changed activations.

    `maps` (1 c h w) is what the layer gave, `output` what the network returned. The modules that
    ended before the layer are not run again: their recorded outputs are handed on, broadcast over
    the batch. Before that is trusted, the original activation is replayed and compared with the
    original scores; a network that this does not fit is run as a whole instead.
    """

    def __init__(self, probe: Probe, image: Tensor, layer: str) -> None:
        self._probe = probe
        self._model = probe.model
        self._image = image
        self._layer = layer
        calls = probe.layers[layer].calls
        base, mark, call = layer.partition("#")
        self._module = self._model.modules[base]
        self._call = int(call) if mark else calls
        self._records: dict[nn.Module, list[Any]] = {}
        with torch.no_grad():
            self.output, self._raw, self._given = self._record()
        self.maps = self._model.layout.to_maps(self._raw, layer)
        self._way: Literal["view", "copy", "whole"] = self._check()

    def __call__(self, maps: Tensor) -> Any:
        """The network's raw output with the layer's maps (m c h w) in place of its own;
        differentiable where `maps` is."""
        with torch.set_grad_enabled(maps.requires_grad):
            return self._replay(maps, self._way)

    def scores(self, maps: Tensor) -> Tensor:
        """Class scores (m classes) with the layer's maps replaced by `maps` (m c h w)."""
        return self._model.scores(self(maps))

    def _record(self) -> tuple[Any, Tensor, Any]:
        """One run; of every module that ends before the layer does, the outermost one's output is
        kept."""
        frames: list[list[tuple[nn.Module, Any]]] = [[]]
        calls = 0
        taken: list[tuple[Tensor, Any]] = []

        def before(module: nn.Module, given: Any) -> None:
            if not taken:
                frames.append([])

        def after(module: nn.Module, given: Any, output: Any) -> Any:
            nonlocal calls
            if taken:
                return None
            frames.pop()
            if module is self._module:
                calls += 1
                if calls == self._call:
                    tensor = first_tensor(output)
                    if tensor is None:
                        raise LayerError(
                            f"Layer {self._layer!r} gives no tensor, so it cannot be changed."
                        )
                    taken.append((tensor.clone(), output))
                    return None
            frames[-1].append((module, output))
            return None

        handles: list[Any] = []
        try:
            for module in self._model.network.modules():
                handles += [
                    module.register_forward_pre_hook(before),
                    module.register_forward_hook(after),
                ]
            output = self._probe.run(self._image)
        finally:
            for handle in handles:
                handle.remove()
        if not taken:
            raise LayerError(
                f"Layer {self._layer!r} did not run on this image, so it cannot be changed."
            )
        for frame in frames:
            for module, made in frame:
                self._records.setdefault(module, []).append(made)
        return output, *taken[0]

    def _check(self) -> Literal["view", "copy", "whole"]:
        """The cheapest way to go on that gives the original output for the original activation."""
        original = first_tensor(self.output)
        assert original is not None
        scale = original.abs().max().clamp_min(1e-12)
        twice = self.maps.expand(2, -1, -1, -1)
        ways: tuple[Literal["view", "copy"], ...] = ("view", "copy")
        for way in ways:
            try:
                with torch.no_grad():
                    again = first_tensor(self._replay(twice, way))
            except (RuntimeError, ValueError, TypeError, ImageError, ModelError):
                continue
            fits = again is not None and again.shape == (2, *original.shape[1:])
            if (
                fits
                and again is not None
                and bool((again - original).abs().max() / scale <= TOLERANCE)
            ):
                return way
        return "whole"

    def _replay(self, maps: Tensor, way: str) -> Any:
        """One run on `maps` with every recorded module answering from its record."""
        count = maps.shape[0]
        # A copy, since the network may go on in place.
        swapped = self._model.layout.from_maps(
            maps.to(self._raw.dtype), self._raw, self._layer
        ).clone()
        queues = (
            {} if way == "whole" else {module: list(made) for module, made in self._records.items()}
        )
        patched: list[tuple[nn.Module, Any]] = []
        calls = 0

        def spread(made: Any) -> Any:
            tensor = first_tensor(made)
            if tensor is None or tensor.shape[0] != 1:
                return made
            wide = tensor.expand(count, *tensor.shape[1:])
            return replace_first(made, wide if way == "view" else wide.clone())

        def answer(module: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
            def run(*given: Any, **named: Any) -> Any:
                nonlocal calls
                queue = queues.get(module)
                if queue:
                    calls += module is self._module
                    return spread(queue.pop(0))
                if module is self._module:
                    calls += 1
                    if calls == self._call:
                        made = self._given if way != "whole" else forward(*given, **named)
                        return replace_first(made, swapped)
                return forward(*given, **named)

            return run

        try:
            for module in {*queues, self._module}:
                patched.append((module, module.__dict__.get("forward")))
                module.forward = answer(module, module.forward)
            image = self._image.expand(count, -1, -1, -1)
            return self._probe.run(image if way == "view" else image.clone())
        finally:
            for module, own in patched:
                if own is None:
                    del module.forward
                else:
                    module.forward = own
