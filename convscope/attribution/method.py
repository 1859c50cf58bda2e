"""A method with its parameters filled in: what `explain`, the wrappers and the benchmark call."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from convscope.attribution import reduce_channels, registry
from convscope.attribution.default_layers import default_layer
from convscope.attribution.maps import enlarge
from convscope.attribution.method_options import parameters_of, with_base
from convscope.core.progress import track
from convscope.core.registry import Registered
from convscope.core.types import Options
from convscope.errors import NoGradientError, OptionError
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import Target


@dataclass(frozen=True)
class Method:
    """One attribution method, ready to run on any images.

    `space`, `heatmap`, `single_run` and `positive` are the method's traits, or those of the method
    a wrapper wraps. With several `layers` the map is their fusion: positive parts, each divided by
    its maximum, resized to the finest, averaged. With `half` it runs in bfloat16 on any model.
    """

    name: str
    options: Options
    space: str
    heatmap: str
    single_run: bool
    positive: bool
    layers: tuple[str, ...] = field(default=())
    half: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        probe: Probe,
        *,
        layer: str | Sequence[str] | None = None,
        until: str | None = None,
        seed: int = 0,
        options: Options | None = None,
    ) -> Method:
        """Fill in a method's parameters: the given options checked, the rest from the model and the
        seed. Without `layer`, none behind the layer `until` is chosen.

        Raises:
            OptionError: an unknown method, or an option or layer that it does not take.
            LayerError: the network has no such layer.
        """
        schema, traits = registry.schema(name), registry.traits(name)
        inner, inner_options = None, {}
        chosen_options = dict(options or {})
        if "inner" in parameters_of(name):
            outer_names = {parameter.name for parameter in schema.options}
            inner_options = {k: v for k, v in chosen_options.items() if k not in outer_names}
            chosen_options = {k: v for k, v in chosen_options.items() if k in outer_names}
            inner = cls._wrapped(
                name,
                probe,
                chosen_options,
                layer=layer,
                until=until,
                seed=seed,
                options=inner_options,
            )
        chosen_options.pop("layer", None)
        values: Options = schema.validate(chosen_options)
        layers = inner.layers if inner is not None else ()
        if "layer" in parameters_of(name):
            layers = tuple(_layers(probe, layer, until))
            values["layer"] = layers[0]
        elif layer is not None and not layers:
            space = traits.space if inner is None else inner.space
            place = "at the image, not at a layer" if space == "input" else "at no single layer"
            raise OptionError(
                f"{name if inner is None else inner.name} looks {place}; leave out layer={layer!r}."
            )
        if "generator" in parameters_of(name):
            values["generator"] = torch.Generator(probe.model.device).manual_seed(seed)
        if inner is not None:
            values["inner"] = inner
        if len(layers) > 1 and traits.space == "input":
            raise OptionError(f"{name} takes one layer; {', '.join(layers)} were given.")
        return cls(
            name,
            values,
            inner.space if inner is not None and traits.space == "base" else traits.space,
            inner.heatmap if inner is not None and traits.heatmap == "base" else traits.heatmap,
            traits.single_run and len(layers) < 2,
            traits.positive or len(layers) > 1,
            layers,
        )

    @classmethod
    def _wrapped(
        cls,
        name: str,
        probe: Probe,
        wrapper_options: Options,
        *,
        layer: str | Sequence[str] | None,
        until: str | None,
        seed: int,
        options: Options,
    ) -> Method:
        """The method that a wrapper wraps."""
        base = with_base(name, wrapper_options)[1]
        if "inner" in parameters_of(base):
            raise OptionError(
                f"{name} wraps a method that is no wrapper itself; base={base!r} was given."
            )
        return cls.of(base, probe, layer=layer, until=until, seed=seed, options=options)

    def heatmap_of(self, maps: Tensor) -> Tensor:
        """The method's own reduction over channels (n h w)."""
        return reduce_channels(maps, self.heatmap)

    @property
    def recorded_options(self) -> Options:
        """The options that were set, with those of the method that a wrapper wraps: what `of` takes
        to make the method again."""
        inner = self.options.get("inner")
        return (inner.recorded_options if isinstance(inner, Method) else {}) | {
            name: value
            for name, value in self.options.items()
            if name not in ("layer", "generator", "inner")
        }

    @property
    def signed(self) -> bool:
        """Whether the heatmap has two directions."""
        return self.heatmap == "sum" and not self.positive

    @property
    def takes_copy(self) -> bool:
        """Whether the faster copy of a network does for it."""
        return "inner" not in self.options and not registry.traits(self.name).as_is

    def __call__(self, probe: Probe, image: Tensor, target: Target) -> Tensor:
        """The raw map (n c h w) of each image for its target; the same random draws at every
        call."""
        if self.half and not probe.model.half:
            model = copy.copy(probe.model)
            model.half = True
            with Probe(model) as half_probe:
                half_probe.notes = probe.notes
                return self(half_probe, image, target)
        function = registry.get(self.name)
        generator = self.options.get("generator")
        if generator is not None:
            generator.manual_seed(generator.initial_seed())
        if not self.takes_copy:
            return self._compute_map(function, probe, image, target)
        # Everything else sees a faster copy of the network, which gives the same at the layers and
        # at the end.
        with Probe(inference_copy(probe.model, self.layers, half=probe.model.half)) as faster:
            faster.notes = probe.notes
            if faster.model.network is probe.model.network:
                faster.recorded = probe.recorded
            maps = self._compute_map(function, faster, image, target)
            probe.last_output = faster.last_output
        return maps

    def _compute_map(
        self, function: Registered, probe: Probe, image: Tensor, target: Target
    ) -> Tensor:
        if len(self.layers) < 2 or "inner" in self.options:
            single_map: Tensor = function(probe, image, target, **self.options)
            return single_map
        maps = self._maps_of_layers(function, probe, image, target)
        finest = max((part.shape[-2:] for part in maps), key=lambda size: size[0] * size[1])
        scaled = [
            part / part.amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(part.dtype).tiny)
            for part in maps
        ]
        return torch.stack([enlarge(part, finest) for part in scaled]).mean(0)

    def _maps_of_layers(
        self, function: Registered, probe: Probe, image: Tensor, target: Target
    ) -> list[Tensor]:
        """The positive part of every layer's map; zero at a layer that this answer does not read
        (of a feature pyramid, a box comes from one level)."""
        maps: list[Tensor] = []
        unread: NoGradientError | None = None
        for layer in track(self.layers, "layers", len(self.layers)):
            try:
                layer_map = function(probe, image, target, **{**self.options, "layer": layer})
                maps.append(layer_map.clamp_min(0))
            except NoGradientError as error:
                unread = error
                size = probe.layers[layer].shape[1:]
                maps.append(torch.zeros(len(image), 1, *size, device=image.device))
        if unread is not None and not any(bool(layer_map.any()) for layer_map in maps):
            raise unread
        return maps


def _layers(probe: Probe, layer: str | Sequence[str] | None, until: str | None) -> list[str]:
    """The wanted layers by name; the default one where none is given."""
    if layer is None:
        default = default_layer(probe, until)
        if default is None:
            raise OptionError(
                f"{probe.model.name} has no layer with places in it; use a method that looks at the"
                " image, such as saliency."
            )
        return [default]
    parts = [part.strip() for part in layer.split(",")] if isinstance(layer, str) else list(layer)
    names = [name for part in parts if part for name in probe.layers.match(part)]
    if not names:
        raise OptionError("No layer was given; leave layer out for the default one.")
    for name in names:
        if probe.layers[name].shape[1:] == (1, 1) != probe.model.size and (
            spatial := probe.layers.last_spatial()
        ):
            raise OptionError(
                f"Layer {name!r} has no places, only one value per unit, so it has no map; the last"
                f" one with places is {spatial!r}."
            )
    return list(dict.fromkeys(names))
