"""From a preset and what the caller changed to a parameterization and a configuration."""

from __future__ import annotations

import copy
from dataclasses import fields, replace
from typing import Unpack

from pydantic import JsonValue
from torch import Tensor, nn

from convscope.errors import OptionError
from convscope.networks.preprocessing import Preprocessing
from convscope.probe import Probe
from convscope.synthesis import parameterizations, preset_text, regularizers, transforms
from convscope.synthesis.compatible_parts import require_opacity, require_pixels_to_blur
from convscope.synthesis.config import OptimizationConfig, PartSpec, PenaltySpec
from convscope.synthesis.overrides import ImageOverrides
from convscope.synthesis.part_text import parse_parts, parse_penalties
from convscope.synthesis.presets import (
    Preset,
    checked_optimization,
    part_of,
    penalty_of,
    preset,
    preset_data,
    variant,
)
from convscope.synthesis.random import RandomStreams

DEFAULT_SIZE = 224
"""Height and width of a picture where neither the caller nor the preset says one."""

L2 = "sum_of_squares"
"""The regularizer that the option `l2` weighs."""

BESIDE = ("source", "steps", "size", "half")
"""Keys of a preset that an atlas records apart or not at all."""

MOST_REGULARIZED = 4.0
"""By how much the weights of a preset's regularizers grow at most."""

CHOLLET_EPSILON = 1e-5 / 255
"""Added to a deviation; the book's 1e-5 is in units of 0 to 255."""


class Settings:
    """A preset with the caller's changes in it, for one network.

    Published step sizes are for inputs of a certain range. Where the preset says which, its rate,
    its L2 weight and its noise are scaled to the network's own range, so that a step moves a pixel
    by the same share of it: a rate on the gradient itself by the square, any other by the ratio.
    What the caller gives is taken as it is, in the network's own units.

    Args:
        name: the preset, the path of a TOML file, or what stands in one.
        verb: the public verb that it is for.
        preprocessing: the network's; without it nothing is scaled.
        size: height and width of the picture; the preset's where None.
        tile: the largest side that the network sees at once.
        rate_decay: in place of the preset's, for a second stage.
        overrides: what the caller changed.

    Raises:
        OptionError: no such preset or part, or a value out of range.
    """

    preset: Preset
    steps: int
    size: tuple[int, int]
    config: OptimizationConfig

    def __init__(
        self,
        name: str,
        verb: str,
        preprocessing: Preprocessing | None = None,
        *,
        size: int | tuple[int, int] | None = None,
        tile: int | None = None,
        rate_decay: float | None = None,
        **overrides: Unpack[ImageOverrides],
    ) -> None:
        self.name = name if preprocessing is None else variant(name, verb, preprocessing.size)
        self.title = preset_text.title(self.name)
        self.verb = verb
        self._has_own_regularizers = overrides.get("regularizers") is None
        self.preset = preset(self.name, verb)
        steps = overrides.get("steps")
        self.steps = _positive("steps", self.preset.steps if steps is None else steps)
        size = self.preset.size or DEFAULT_SIZE if size is None else size
        height, width = (size, size) if isinstance(size, int) else size
        self.size = _positive("size", height), _positive("size", width)
        self._ratio = 1.0
        if preprocessing is not None and self.preset.input_span is not None:
            self._ratio = preprocessing.input_span / self.preset.input_span
        self._part = self._parameterization_part(overrides)
        self.config = self._config(overrides, tile, rate_decay)
        require_opacity(self._part.name, self.config)
        require_pixels_to_blur(self._part.name, self.config, overrides)

    def _parameterization_part(self, overrides: ImageOverrides) -> PartSpec:
        text = overrides.get("parameterization")
        part = part_of(self.preset.parameterization, parameterizations.registry)
        if text is not None:
            parts = parse_parts(text, parameterizations.registry)
            if len(parts) != 1:
                raise OptionError(f"One parameterization is wanted; {text!r} was given.")
            part = parts[0]
        traits = parameterizations.registry.traits(part.name)
        noise = overrides.get("noise")
        if noise is not None:
            if traits.noise is None:
                raise OptionError(
                    f"{part.name} does not start from noise; noise={noise} was given."
                )
            schema = parameterizations.registry.schema(part.name)
            return PartSpec(part.name, {**part.options, **schema.validate({traits.noise: noise})})
        if traits.network_units and traits.noise and traits.noise not in part.options:
            return PartSpec(part.name, {**part.options, traits.noise: self._ratio})
        return part

    def _config(
        self, overrides: ImageOverrides, tile: int | None, rate_decay: float | None
    ) -> OptimizationConfig:
        values: dict[str, object] = self.preset.optimization.model_dump()
        changes: dict[str, object] = {"rate_decay": rate_decay, **overrides}
        chosen = {
            key: value for key, value in changes.items() if key in values and value is not None
        }
        optimization = checked_optimization(values | chosen)
        if "rate" not in chosen:
            optimization = checked_optimization(
                optimization.model_dump() | {"rate": self._default_rate(overrides)}
            )
        values = optimization.model_dump()
        values["transforms"] = self._transforms(overrides)
        values["regularizers"] = self._regularizers(overrides)
        values["snapshots"] = self._snapshots(overrides)
        values["tile"] = tile
        values["steps"] = self.steps
        known = {field.name for field in fields(OptimizationConfig)}
        assert values.keys() == known
        return OptimizationConfig(**values)  # type: ignore[arg-type]

    def _default_rate(self, overrides: ImageOverrides) -> float:
        """The preset's rate for this network, or the parameterization's own."""
        optimization = self.preset.optimization
        optimizer = overrides.get("optimizer") or optimization.optimizer
        normalize = overrides.get("normalize") or optimization.normalize
        traits = parameterizations.registry.traits(self._part.name)
        if overrides.get("parameterization") and traits.rate is not None and optimizer != "ascent":
            return traits.rate
        if not traits.network_units:
            return optimization.rate
        is_plain = optimizer == "ascent" and normalize == "none"
        return optimization.rate * self._ratio ** (2 if is_plain else 1)

    def _transforms(self, overrides: ImageOverrides) -> tuple[PartSpec, ...]:
        text, jitter = overrides.get("transforms"), overrides.get("jitter")
        parts = (
            [part_of(part, transforms.registry) for part in self.preset.transforms]
            if text is None
            else list(parse_parts(text, transforms.registry))
        )
        if jitter is None:
            return tuple(parts)
        if jitter < 0:
            raise OptionError(f"jitter must be 0 or more; {jitter} was given.")
        moving = [place for place, part in enumerate(parts) if part.name in ("roll", "jitter")]
        if not moving:
            return (PartSpec("roll", {"pixels": jitter}), *parts) if jitter else tuple(parts)
        parts[moving[0]] = PartSpec(parts[moving[0]].name, {"pixels": jitter})
        return tuple(part for part in parts if part.options.get("pixels") != 0)

    def _regularizers(self, overrides: ImageOverrides) -> tuple[PenaltySpec, ...]:
        text, l2 = overrides.get("regularizers"), overrides.get("l2")
        penalties = (
            [self._scaled(penalty_of(part)) for part in self.preset.regularizers]
            if text is None
            else list(parse_penalties(text, regularizers.registry))
        )
        if l2 is None:
            return tuple(penalties)
        if l2 < 0:
            raise OptionError(f"l2 must be 0 or more; {l2} was given.")
        others = [penalty for penalty in penalties if penalty.name != L2]
        return (*others, PenaltySpec(L2, l2, {})) if l2 else tuple(others)

    def _scaled(self, penalty: PenaltySpec) -> PenaltySpec:
        """A preset's penalty on the network's input, for this network's range."""
        if not regularizers.registry.traits(penalty.name).network_units:
            return penalty
        return penalty._replace(weight=penalty.weight / self._ratio**2)

    def at_stride(self, stride: float) -> Settings:
        """The same for a layer whose places are `stride` pixels apart: the preset's regularizers
        weigh more at coarse ones, where the preset says so."""
        if self.preset.regularizer_stride is None or not self._has_own_regularizers:
            return self
        factor = min(max(stride / self.preset.regularizer_stride, 1.0), MOST_REGULARIZED)
        weighted = tuple(
            penalty if penalty.name == L2 else penalty._replace(weight=penalty.weight * factor)
            for penalty in self.config.regularizers
        )
        other = copy.copy(self)
        other.config = replace(self.config, regularizers=weighted)
        return other

    def _snapshots(self, overrides: ImageOverrides) -> tuple[int, ...]:
        every = overrides.get("show_every")
        if every is not None and every < 1:
            raise OptionError(f"show_every must be 1 or more; {every} was given.")
        if every is not None and every > self.steps:
            raise OptionError(f"show_every={every} shows nothing of {self.steps} steps.")
        regular = range(every, self.steps + 1, every) if every else ()
        steps = sorted({*regular, *(overrides.get("snapshots") or ())})
        if steps and steps[-1] > self.steps:
            raise OptionError(
                f"There is no step {steps[-1]} to keep (snapshots): it ends after {self.steps}."
            )
        return tuple(steps)

    @property
    def preset_parts(self) -> dict[str, JsonValue]:
        """What the preset's file says of the picture beside steps and size, as plain data."""
        data = preset_data(self.name, self.verb)
        return {key: value for key, value in data.items() if key not in BESIDE}

    def parameterization(
        self, probe: Probe, count: int, streams: RandomStreams, start: Tensor | None = None
    ) -> nn.Module:
        """What `count` images are made of; `start` is n c h w in [0, 1]. Raises a NoRoomError where
        they need more memory than is free."""
        probe.require_room(count, self.size, gradients=True, optimized=True)
        options: dict[str, object] = dict(self._part.options)
        model = probe.model
        if parameterizations.registry.traits(self._part.name).network_units:
            options["model"] = model
        if start is not None:
            options["start"] = start
        function = parameterizations.registry.get(self._part.name)
        module: nn.Module = function((count, model.channels, *self.size), streams, **options)
        return module.to(model.device)

    def shown(self, image: Tensor) -> Tensor:
        """Images as the preset shows them (n c h w in [0, 1])."""
        if self.preset.display == "clip":
            return image.clamp(0, 1)
        mean = image.mean((1, 2, 3), keepdim=True)
        deviation = image.std((1, 2, 3), keepdim=True, correction=0)
        return ((image - mean) / (deviation + CHOLLET_EPSILON) * 0.1 + 0.5).clamp(0, 1)


def _positive(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or int(value) < 1:
        raise OptionError(f"{name} must be 1 or more; {value!r} was given.")
    return int(value)
