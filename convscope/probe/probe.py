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

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import ConvscopeError, ImageError, ModelError, NoGradientError
from convscope.networks.layer import PASSING, Layer, Layers
from convscope.networks.layout import AxisLayout, first_tensor
from convscope.networks.layout_inference import LayoutInference
from convscope.networks.model import Model
from convscope.networks.module_index import evaluation_mode
from convscope.probe.capture import Capture, StopForward
from convscope.probe.partial_forward import PartialForward
from convscope.questions.target import Target

MOST_UNREAD = 48
"""How many layers from the end are asked whether their places matter: more than a transformer's
last two blocks have."""


class Probe:
    """Holds a model still while it is looked into.

    `seen` is the raw output of the last complete run, so that a caller need not run the network
    again for it. `notes` holds what a method measured on its way, one number per image.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.last_output: Any = None
        self.notes: dict[str, list[float]] = {}
        self._stack = ExitStack()
        self._layers: Layers | None = None

    def __enter__(self) -> Probe:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            if not self.model.is_frozen:
                stack.enter_context(evaluation_mode(self.model.module_index))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self.last_output = self._layers = None
        self._stack.close()

    def note(self, name: str, value: float) -> None:
        """Keep a number that a method found out about the image it is at."""
        self.notes.setdefault(name, []).append(value)

    @property
    def layers(self) -> Layers:
        """All layers of the network, from one dry run that is remembered until a module is
        exchanged."""
        if self._layers is None and self.model.is_frozen:
            self._layers = self.model.__dict__["_layers"][1]
        if self._layers is None:
            now = self.model.module_index if self.model._modules is None else self.model._modules
            known: tuple[Any, Layers] | None = self.model.__dict__.get("_layers")
            if known is None or known[0] is not now:
                known = self.model.__dict__["_layers"] = (now, trace(self.model))
            self._layers = known[1]
        return self._layers

    def output(self, image: Tensor) -> Any:
        """The network's raw output; no gradient."""
        with torch.no_grad():
            self.last_output = self.run(_plain(image))
        return self.last_output

    def scores(self, image: Tensor) -> Tensor:
        """Class scores (n classes); no gradient."""
        return self.model.scores(self.output(image))

    def activations(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Maps (n c h w) of the given layers; the network stops after the last of them.

        Where `image` requires a gradient the maps are differentiable with respect to it, else no
        graph is kept.

        Raises:
            LayerError: a layer the network does not have.
        """
        with torch.set_grad_enabled(image.requires_grad), self._capture(layers) as captured:
            self.run(image if image.requires_grad else _plain(image), stop=True)
            return {name: self.model.layout.to_maps(captured.take(name), name) for name in layers}

    def activations_and_output(
        self, image: Tensor, layers: Sequence[str]
    ) -> tuple[dict[str, Tensor], Any]:
        """Maps of the given layers and the raw output of the same run; differentiable where `image`
        is."""
        with (
            torch.set_grad_enabled(image.requires_grad),
            self._capture(layers, complete=True) as captured,
        ):
            self.last_output = self.run(image if image.requires_grad else _plain(image))
            return {
                name: self.model.layout.to_maps(captured.take(name), name) for name in layers
            }, self.last_output

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
        with torch.enable_grad(), self._capture(layers, leaf=True, complete=True) as captured:
            self.last_output = self.run(_plain(image))
            score = target(self.last_output)
            raw = [captured.take(name) for name in layers]
            gradients = gradient_of(
                score, raw, "layer " + " or ".join(repr(name) for name in layers)
            )
            maps = self.model.layout.to_maps
            return {
                name: (maps(tensor.detach(), name).float(), maps(gradient, name).float())
                for name, tensor, gradient in zip(layers, raw, gradients, strict=True)
            }

    def activation_and_gradient(
        self, image: Tensor, layer: str, target: Target
    ) -> tuple[Tensor, Tensor]:
        """One layer's maps and the gradient of the target's score there, both n c h w."""
        return self.activations_and_gradients(image, [layer], target)[layer]

    def image_gradient(self, image: Tensor, target: Target) -> Tensor:
        """The gradient of the target's score at the network's input (n c h w).

        Raises:
            NoGradientError: the score does not depend on the image.
        """
        with torch.enable_grad():
            leaf = _plain(image).detach().requires_grad_()
            self.last_output = self.run(leaf.clone())
            return gradient_of(target(self.last_output), [leaf], "the image")[0].float()

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
        return PartialForward(self, _plain(image), layer)

    def run(self, image: Tensor, *, stop: bool = False) -> Any:
        """Run the network; foreign errors become one sentence."""
        try:
            with torch.autocast(image.device.type, torch.bfloat16, enabled=self.model.half):
                return self.model(image)
        except StopForward:
            if stop:
                return None
            raise
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            raise self._translated(error, image) from error

    def _translated(self, error: Exception, image: Tensor) -> Exception:
        if isinstance(error, ConvscopeError | torch.OutOfMemoryError):
            return error
        size = " x ".join(map(str, image.shape[-2:]))
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        if tuple(image.shape[-2:]) != tuple(self.model.size):
            own = " x ".join(map(str, self.model.size))
            return ImageError(
                f"{self.model.name} cannot run on an image of {size} (its own size is {own}):"
                f" {said}"
            )
        return ModelError(
            f"{self.model.name} raised {type(error).__name__} while it ran on an image of {size}:"
            f" {said}"
        )

    @contextmanager
    def _capture(
        self, names: Sequence[str], *, leaf: bool = False, complete: bool = False
    ) -> Iterator[Capture]:
        """Hooks on the named layers for the length of the block."""
        captured = Capture(names, self.layers, leaf=leaf, complete=complete)
        handles = []
        try:
            modules = self.model.modules
            for base in captured.bases:
                handles.append(
                    modules[base].register_forward_hook(captured.hook(base), always_call=False)
                )
            yield captured
        finally:
            for handle in handles:
                handle.remove()


def gradient_of(
    score: Tensor, places: list[Tensor], what: str, *, differentiable: bool = False
) -> list[Tensor]:
    """Gradients of the summed score at `places`; never at a weight. They can be differentiated
    again if `differentiable`.

    Raises:
        NoGradientError: the score does not depend on them.
    """
    if not score.requires_grad:
        raise NoGradientError(f"The score does not depend on {what}, so it has no gradient there.")
    found = torch.autograd.grad(score.sum(), places, allow_unused=True, create_graph=differentiable)
    if any(gradient is None for gradient in found):
        raise NoGradientError(f"The score does not depend on {what}, so it has no gradient there.")
    return [gradient for gradient in found if gradient is not None]


def trace(model: Model) -> Layers:
    """One dry run on a speckled image: every module that gave a tensor, in the order in which the
    last runs ended."""
    names = {module: name for name, module in reversed(model.modules.items())}
    calls: dict[str, int] = defaultdict(int)
    seen: dict[str, tuple[int, tuple[int, ...], str]] = {}
    made: dict[int, tuple[str, Tensor]] = {}
    order = 0
    wrapped: set[str] = set()
    inference = LayoutInference(model.layout, model.size)
    axis_layouts: dict[str, list[AxisLayout]] = defaultdict(list)
    model.layout.axis_layouts = axis_layouts

    def record(module: nn.Module, given: Any, output: Any) -> None:
        nonlocal order
        tensor = first_tensor(output)
        if (
            tensor is None
            or tensor.ndim == 0
            or tensor.shape[0] == 0
            or not tensor.is_floating_point()
        ):
            return
        name = names[module]
        order += 1
        calls[name] += 1
        if type(module).__name__.endswith(PASSING) and any(tensor is one for one in given):
            source = name
        else:
            # The tensor is held until the end, since a freed one's number is given out again.
            source = made.setdefault(id(tensor), (name, tensor))[0]
        if tensor is not output:
            wrapped.add(name)
        axis_layouts[name].append(inference.infer(module, given, tensor))
        maps = model.layout.to_maps(tensor, name)
        seen[name] = (order, tuple(maps.shape[1:]), source)

    handles: list[Any] = []
    with Probe(model) as probe:
        try:
            for module in names:
                handles += [
                    module.register_forward_pre_hook(inference.before_module),
                    module.register_forward_hook(record),
                ]
            probe.output(model.speckled())
        finally:
            for handle in handles:
                handle.remove()
    model.layout.axis_layouts = dict(axis_layouts)
    layers = []
    modules = model.modules
    for name, (ended, shape, source) in seen.items():
        module = modules[name]
        parameters = sum(weight.numel() for weight in module.parameters())
        kind: str = module._get_name()  # type: ignore[no-untyped-call]
        layers.append(
            Layer(
                name, kind, (shape[0], shape[1], shape[2]), parameters, calls[name], ended, source
            )
        )
    total = sum(weight.numel() for weight in model.network.parameters())
    found = Layers(layers, total)
    return Layers(layers, total, _unread(model, found, wrapped)) if found else found


def _unread(model: Model, layers: Layers, wrapped: set[str]) -> set[str]:
    """The late layers whose places no score depends on: only the class token is read afterwards, or
    only another output.

    Asked only where it may be so: the last layer has such tokens, or its output is a structure
    (`wrapped`).
    """
    last = layers.last_spatial()
    if last is None or (model.layout.axis_layouts[last][-1].extra == 0 and last not in wrapped):
        return set()
    names = [name for name, layer in layers.items() if layer.shape == layers[last].shape][
        -MOST_UNREAD:
    ]
    with Probe(model) as probe, torch.enable_grad():
        captured = Capture(names, layers, leaf=True, complete=True)
        modules = model.modules
        handles = [modules[name].register_forward_hook(captured.hook(name)) for name in names]
        try:
            scores = model.scores(probe.run(model.speckled()))
        finally:
            for handle in handles:
                handle.remove()
        if not scores.requires_grad:
            return set()
        gradients = torch.autograd.grad(
            scores.norm(), [captured.take(name) for name in names], allow_unused=True
        )
    maps = model.layout.to_maps
    unread = {
        name
        for name, one in zip(names, gradients, strict=True)
        if one is None or not bool(maps(one, name).any())
    }
    # What a structure hands on beside the tensor was made from that tensor before it could be
    # exchanged.
    unread |= {name for name in names if name in wrapped and layers[name].source != name}
    return unread if len(unread) < len(names) else set()


def _plain(image: Tensor) -> Tensor:
    """An image that autograd may work on, also when the caller made it under `inference_mode`."""
    return image.clone() if image.is_inference() else image
