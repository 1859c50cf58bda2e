"""The only hooks: look into a network while it runs, stop it early, change an activation and go on.
Leaves no trace.

    with Probe(model) as probe:
        maps = probe.activations(image, ["blocks.1"])["blocks.1"]  # nothing after blocks.1 runs
        maps, gradient = probe.activation_and_gradient(image, "blocks.4", target)
        # nothing before blocks.4 runs again:
        scores = probe.partial_forward(image, "blocks.4").scores(changed_maps)

Inside the block the network is in evaluation mode and its weights are frozen, so that no weight
gradient is ever computed; afterwards every mode and flag is as it was. Images are network inputs (n
c h w, after `model.preprocess`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from convscope.errors import ImageError
from convscope.networks.layer import Layers
from convscope.networks.layout import Layout, image_size
from convscope.networks.model import Model
from convscope.networks.state import DryRun
from convscope.probe.capture import Capture
from convscope.probe.gradient import gradient_of
from convscope.probe.memory_order import try_channels_last
from convscope.probe.partial_forward import PartialForward
from convscope.probe.recorded_run import RecordedRun
from convscope.probe.runner import Runner, normal_tensor
from convscope.probe.trace import dry_run_of
from convscope.questions.target import Target


class Probe(Runner):
    """Holds a model still while it is looked into; another thread that wants the same network
    waits.

    `last_output` is the raw output of the last complete run, so that a caller need not run the
    network again for it. `notes` holds what a method measured on its way, one number per image.
    `recorded` is a run that was made before: what it knows of its input is not run again.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.last_output: object = None
        self.notes: dict[str, list[float]] = {}
        self.recorded: RecordedRun | None = None
        self._dry_run: DryRun | None = None

    def __enter__(self) -> Probe:
        super().__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self.last_output = self._dry_run = None
        super().__exit__(*failure)

    def note(self, name: str, value: float) -> None:
        """Keep a number that a method measured on the image it is at."""
        self.notes.setdefault(name, []).append(value)

    @property
    def layers(self) -> Layers:
        """All layers of the network, from one dry run that is remembered until a module is
        replaced."""
        return self._traced().layers

    @property
    def layout(self) -> Layout:
        """How the outputs of the layers become maps, from the same dry run."""
        return self._traced().layout

    def _traced(self) -> DryRun:
        if self._dry_run is None:
            self._dry_run = dry_run_of(self)
        return self._dry_run

    def output(self, image: Tensor) -> object:
        """The network's raw output; no gradient."""
        with torch.no_grad():
            self.last_output = self.run(normal_tensor(image))
        return self.last_output

    def scores(self, image: Tensor) -> Tensor:
        """Class scores (n classes); no gradient."""
        return self.model.scores(self.output(image), len(image))

    def record(
        self, image: Tensor, layers: Sequence[str], differentiable: Sequence[str] = ()
    ) -> RecordedRun:
        """One complete run, with what it gave at `layers` and at the `differentiable` ones, where
        gradients can be asked for."""
        names = list(dict.fromkeys([*layers, *differentiable]))
        with (
            torch.set_grad_enabled(bool(differentiable)),
            self._capture(names, leaves=differentiable, complete=True) as capture,
        ):
            self.last_output = self.run(normal_tensor(image))
        raw = {name: capture.take(name) for name in names}
        return RecordedRun(image, self.last_output, raw, frozenset(differentiable))

    def maps_of(self, run: RecordedRun, layers: Sequence[str]) -> dict[str, Tensor]:
        """Maps (n c h w) of layers that a run recorded."""
        size = image_size(run.image)
        return {name: self.layout.to_maps(run.raw[name].detach(), name, size) for name in layers}

    def activations(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Maps (n c h w) of the given layers; the network stops after the last of them.

        Where `image` requires a gradient the maps are differentiable with respect to it, else no
        graph is kept.

        Raises:
            LayerError: a layer the network does not have.
        """
        with torch.set_grad_enabled(image.requires_grad), self._capture(layers) as capture:
            self.run(image if image.requires_grad else normal_tensor(image), stop=True)
            return self._maps(capture, layers, image)

    def activations_and_output(
        self, image: Tensor, layers: Sequence[str]
    ) -> tuple[dict[str, Tensor], object]:
        """Maps of the given layers and the raw output of the same run; differentiable where `image`
        is."""
        with (
            torch.set_grad_enabled(image.requires_grad),
            self._capture(layers, complete=True) as capture,
        ):
            self.last_output = self.run(image if image.requires_grad else normal_tensor(image))
            return self._maps(capture, layers, image), self.last_output

    def _maps(self, capture: Capture, layers: Sequence[str], image: Tensor) -> dict[str, Tensor]:
        size = image_size(image)
        return {name: self.layout.to_maps(capture.take(name), name, size) for name in layers}

    def activations_and_gradients(
        self, image: Tensor, layers: Sequence[str], target: Target
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """For each layer its maps and the gradient of the target's score there (both n c h w), from
        one run.

        The graph begins at the first of the layers: everything before it runs as fast as without
        gradients.

        Raises:
            NoGradientError: the score does not depend on a layer.
        """
        run, keep_graph = self.recorded, True
        if run is None or not run.answers(image, layers):
            run, keep_graph = self.record(image, layers, layers), False
        self.last_output = run.output
        raw = [run.raw[name] for name in layers]
        what = "layer " + " or ".join(repr(name) for name in layers)
        with torch.enable_grad():
            gradients = gradient_of(target(run.output), raw, what, keep_graph=keep_graph)
        maps, size = self.layout.to_maps, image_size(image)
        return {
            name: (maps(tensor.detach(), name, size).float(), maps(gradient, name, size).float())
            for name, tensor, gradient in zip(layers, raw, gradients, strict=True)
        }

    def activation_and_gradient(
        self, image: Tensor, layer: str, target: Target
    ) -> tuple[Tensor, Tensor]:
        """One layer's maps and the gradient of the target's score there, both n c h w."""
        return self.activations_and_gradients(image, [layer], target)[layer]

    def constant_gradient(
        self, image: Tensor, layer: str, target: Target
    ) -> tuple[Tensor, Tensor] | None:
        """One layer's maps and the gradient of the target's score there (both n c h w), where only
        linear operations follow, so that the gradient is the same whatever the maps are; else
        None."""
        run = self.recorded
        if run is None or not run.answers(image, [layer]):
            run = self.record(image, [layer], [layer])
        self.last_output, raw = run.output, run.raw[layer]
        with torch.enable_grad():
            score = target(run.output)
            if not score.requires_grad:
                return None
            (gradient,) = torch.autograd.grad(
                score.sum(), [raw], create_graph=True, allow_unused=True
            )
        # A gradient that depends on the maps could be differentiated once more.
        if gradient is None or gradient.requires_grad:
            return None
        maps, size = self.layout.to_maps, image_size(image)
        return maps(raw.detach(), layer, size).float(), maps(gradient, layer, size).float()

    def image_gradient(self, image: Tensor, target: Target) -> Tensor:
        """The gradient of the target's score at the network's input (n c h w).

        Raises:
            NoGradientError: the score does not depend on the image.
        """
        with torch.enable_grad():
            leaf = normal_tensor(image).detach().requires_grad_()
            self.last_output = self.run(leaf.clone())
            return gradient_of(target(self.last_output), [leaf], "the image")[0].float()

    def channels_last(self, images: Tensor) -> Tensor:
        """Network inputs (n c h w) in the memory order that convolutions on a processor run fastest
        in, where the network takes it."""
        try_channels_last(self.model, images[:1], self.run)
        return self.in_order(images.contiguous(memory_format=torch.channels_last))

    def partial_forward(self, image: Tensor, layer: str) -> PartialForward:
        """Run the network once on one image (1 c h w), and be ready to run only what follows
        `layer`, many times.

        Raises:
            ImageError: more than one image.
        """
        if image.shape[0] != 1:
            raise ImageError(
                f"The network is split on one image at a time; {image.shape[0]} were given."
            )
        calls = self.layers[layer].calls
        return PartialForward(self, normal_tensor(image), layer, calls, self.layout)

    def _capture(
        self, names: Sequence[str], *, leaves: Sequence[str] = (), complete: bool = False
    ) -> AbstractContextManager[Capture]:
        return self.capture(names, self.layers, leaves=leaves, complete=complete)
