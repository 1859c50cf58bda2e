"""From a preset and what the caller changed to a parameterization and a configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import TypedDict, Unpack, get_args

from pydantic import JsonValue
from torch import Tensor, nn

from convscope.errors import OptionError, suggest
from convscope.probe import Probe
from convscope.synthesis import parameterizations, regularizers, transforms
from convscope.synthesis.config import (
    Normalization,
    OptimizationConfig,
    Optimizer,
    OptionValue,
    PartSpec,
    PenaltySpec,
)
from convscope.synthesis.part_text import parse_parts, parse_penalties
from convscope.synthesis.presets import Preset, preset, preset_data
from convscope.synthesis.random import RandomStreams

DEFAULT_SIZE = 224
"""Height and width of a picture where neither the caller nor the preset says one."""

CHOLLET_EPSILON = 1e-5 / 255
"""Added to a deviation; the book's 1e-5 is in units of 0 to 255."""


class Overrides(TypedDict, total=False):
    """What a caller may change in a preset; None leaves the preset's."""

    steps: int | None
    size: int | tuple[int, int] | None
    parameterization: str | None
    transforms: str | None
    regularizers: str | None
    optimizer: Optimizer | None
    normalize: Normalization | None
    rate: float | None
    rate_decay: float | None
    redirect: int | None
    patience: int | None
    snapshots: Sequence[int] | None
    tile: int | None


class Settings:
    """A preset with the caller's changes in it.

    Args:
        name: the preset.
        verb: the public verb that it is for.
        overrides: what the caller changed.

    Raises:
        OptionError: no such preset or part, or a value out of range.
    """

    preset: Preset
    steps: int
    size: tuple[int, int]
    config: OptimizationConfig

    def __init__(self, name: str, verb: str, **overrides: Unpack[Overrides]) -> None:
        self.name, self.verb = name, verb
        self.preset = preset(name, verb)
        steps = overrides.get("steps")
        self.steps = _positive("steps", self.preset.steps if steps is None else steps)
        size = overrides.get("size") or self.preset.size or DEFAULT_SIZE
        height, width = (size, size) if isinstance(size, int) else size
        self.size = _positive("size", height), _positive("size", width)
        self._part = self._parameterization_part(overrides)
        self.config = self._config(overrides)
        self._require_opacity()

    def _parameterization_part(self, overrides: Overrides) -> PartSpec:
        text = overrides.get("parameterization")
        if text is None:
            return _part(self.preset.parameterization)
        parts = parse_parts(text, parameterizations.registry)
        if len(parts) != 1:
            raise OptionError(f"One parameterization is wanted; {text!r} was given.")
        return parts[0]

    def _config(self, overrides: Overrides) -> OptimizationConfig:
        values = self.preset.optimization.model_dump()
        text = overrides.get("transforms")
        values["transforms"] = (
            tuple(_part(part) for part in self.preset.transforms)
            if text is None
            else parse_parts(text, transforms.registry)
        )
        text = overrides.get("regularizers")
        values["regularizers"] = (
            tuple(_penalty(part) for part in self.preset.regularizers)
            if text is None
            else parse_penalties(text, regularizers.registry)
        )
        own_rate = parameterizations.registry.traits(self._part.name).rate
        optimizer = overrides.get("optimizer") or values["optimizer"]
        if overrides.get("parameterization") and own_rate is not None and optimizer != "ascent":
            values["rate"] = own_rate
        known = {field.name for field in fields(OptimizationConfig)} - {
            "transforms",
            "regularizers",
        }
        values |= {
            key: value for key, value in overrides.items() if key in known and value is not None
        }
        values["snapshots"] = tuple(overrides.get("snapshots") or ())
        _check_word("optimizer", values["optimizer"], get_args(Optimizer))
        _check_word("normalize", values["normalize"], get_args(Normalization))
        if not (math.isfinite(values["rate"]) and values["rate"] > 0):
            raise OptionError(f"rate must be above 0; {values['rate']!r} was given.")
        return OptimizationConfig(**(values | {"steps": self.steps}))

    def _require_opacity(self) -> None:
        """Refuse what reads an image's opacity where the image has none, and an opacity that
        nothing takes off before the network sees it.

        Raises:
            OptionError: they do not go together.
        """
        name = self._part.name
        composites = [
            part for part, _ in self.config.transforms if transforms.registry.traits(part).alpha
        ]
        readers = composites + [
            part
            for part, *_ in self.config.regularizers
            if regularizers.registry.traits(part).alpha
        ]
        has_alpha = parameterizations.registry.traits(name).alpha
        if readers and not has_alpha:
            raise OptionError(
                f"{readers[0]} reads the opacity of an image, and {name} makes images without one;"
                " use preset='transparent' or parameterization='transparent'."
            )
        if has_alpha and not composites:
            raise OptionError(
                f"{name} makes images with an opacity, which no network takes; add the transform"
                " composite, as preset='transparent' does."
            )

    @property
    def preset_parts(self) -> dict[str, JsonValue]:
        """What the preset's file says beside its source, steps and size, as plain data."""
        data = preset_data(self.name, self.verb)
        return {key: value for key, value in data.items() if key not in ("source", "steps", "size")}

    def parameterization(
        self, probe: Probe, count: int, streams: RandomStreams, start: Tensor | None = None
    ) -> nn.Module:
        """What `count` images are made of; `start` is n c h w in [0, 1]."""
        options: dict[str, object] = dict(self._part.options)
        model = probe.model
        if parameterizations.registry.traits(self._part.name).needs_model:
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


def _part(table: dict[str, OptionValue]) -> PartSpec:
    """A part of a preset's file: its name and its options."""
    return PartSpec(str(table["name"]), {key: v for key, v in table.items() if key != "name"})


def _penalty(table: dict[str, OptionValue]) -> PenaltySpec:
    part = _part(table)
    weight = part.options["weight"]
    assert isinstance(weight, (int, float))
    return PenaltySpec(
        part.name,
        float(weight),
        {key: value for key, value in part.options.items() if key != "weight"},
    )


def _check_word(name: str, word: str, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise OptionError(f"There is no {name} {word!r}; {suggest(word, allowed)}")


def _positive(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or int(value) < 1:
        raise OptionError(f"{name} must be 1 or more; {value!r} was given.")
    return int(value)
