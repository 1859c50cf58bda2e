"""From a preset and what the caller changed to a canvas and a recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, get_args

import torch
from torch import Tensor, nn

from convscope.errors import OptionError, suggest
from convscope.networks.model import Model
from convscope.synthesis import parameterizations, presets, regularizers, transforms
from convscope.synthesis.optimize import (
    Normalize,
    OptimizationConfig,
    OptimizationResult,
    Optimizer,
)
from convscope.synthesis.random import RandomStreams


class Settings:
    """A preset with the caller's changes in it."""

    def __init__(self, name: str, technique: str, **changes: Any) -> None:
        self.data = presets.preset(name, technique)
        given = {key: value for key, value in changes.items() if value is not None}
        self.steps = _positive("steps", given.pop("steps", self.data["steps"]))
        self._size = given.pop("size", self.data.get("size", 224))
        self._parts: dict[str, Any] = {"parameterization": dict(self.data["parameterization"])}
        if "parameterization" in given:
            name, options = parse_steps(given.pop("parameterization"), parameterizations.registry)[
                0
            ]
            self._parts["parameterization"] = {"name": name, **options}
            own = parameterizations.registry.traits(name).rate
            if (
                own is not None
                and given.get("optimizer", self.data["recipe"].get("optimizer")) != "ascent"
            ):
                given.setdefault("rate", own)
        self._transforms = (
            parse_steps(given.pop("transforms"), transforms.registry)
            if "transforms" in given
            else self._listed("transforms")
        )
        self._regularizers = (
            parse_weighted(given.pop("regularizers"))
            if "regularizers" in given
            else tuple(_weighted(self._listed("regularizers")))
        )
        self._require_opacity()
        self._recipe = {**self.data["recipe"], **given}
        for key, allowed in (
            ("optimizer", get_args(Optimizer)),
            ("normalize", get_args(Normalize)),
        ):
            if self._recipe.get(key, allowed[0]) not in allowed:
                raise OptionError(
                    f"There is no {key} {self._recipe[key]!r};"
                    f" {suggest(str(self._recipe[key]), allowed)}"
                )
        rate = self._recipe.get("rate", 1.0)
        if not (math.isfinite(rate) and rate > 0):
            raise OptionError(f"rate must be above 0; {rate!r} was given.")

    def _require_opacity(self) -> None:
        """Refuse what reads an image's opacity where the image has none, and an opacity that
        nothing takes off before the network sees it.

        Raises:
            OptionError: they do not go together.
        """
        name = self._parts["parameterization"]["name"]
        takers = [part for part, _ in self._transforms if transforms.registry.traits(part).alpha]
        readers = takers + [
            part for part, *_ in self._regularizers if regularizers.registry.traits(part).alpha
        ]
        has_alpha = parameterizations.registry.traits(name).alpha
        if readers and not has_alpha:
            raise OptionError(
                f"{readers[0]} reads the opacity of an image, and {name} makes images without one;"
                " use preset='transparent' or parameterization='transparent'."
            )
        if has_alpha and not takers:
            raise OptionError(
                f"{name} makes images with an opacity, which no network takes; add the transform"
                " composite, as preset='transparent' does."
            )

    def _listed(self, kind: str) -> tuple[tuple[str, dict[str, Any]], ...]:
        return tuple(
            (part["name"], {k: v for k, v in part.items() if k != "name"})
            for part in self.data.get(kind, [])
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        size = self._size
        height, width = (size, size) if isinstance(size, int) else size
        return _positive("size", height), _positive("size", width)

    def config(self, **changes: Any) -> OptimizationConfig:
        """How to climb."""
        given = {
            "transforms": self._transforms,
            "regularizers": self._regularizers,
            "steps": self.steps,
            **self._recipe,
            **changes,
        }
        return OptimizationConfig(
            **{key: value for key, value in given.items() if value is not None}
        )

    def parameterization(
        self, model: Model, count: int, streams: RandomStreams, start: Tensor | None = None
    ) -> nn.Module:
        """What the images are made of."""
        options = dict(self._parts["parameterization"])
        name = options.pop("name")
        function = parameterizations.registry.get(name)
        if parameterizations.registry.traits(name).needs_model:
            options["model"] = model
        if start is not None:
            options["start"] = start
        parameterization: nn.Module = function(
            (count, model.channels, *self.size), streams, **options
        )
        return parameterization.to(model.device)

    def shown(self, ascent: OptimizationResult) -> Tensor:
        """The images as the preset shows them."""
        if self.data.get("display") != "standardize":
            return ascent.image.clamp(0, 1)
        image = ascent.image
        mean = image.mean((1, 2, 3), keepdim=True)
        spread = image.std((1, 2, 3), keepdim=True, correction=0)
        # Chollet's numbers are in 0..255 units, where 1e-5 is nothing.
        return ((image - mean) / (spread + 1e-5 / 255) * 0.1 + 0.5).clamp(0, 1)


def parse_steps(text: str, registry: Any) -> tuple[tuple[str, dict[str, Any]], ...]:
    """ "pad(16) jitter(8) scale(0.9,1.1)" as names with their options; "none" is no step at all.

    Raises:
        OptionError: a name or option that does not exist.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    if text.strip().lower() in ("", "none"):
        return ()
    for part in text.replace(")", ") ").split():
        name, _, inside = part.rstrip(")").partition("(")
        schema = registry.schema(name)
        given: dict[str, Any] = {}
        for place, argument in enumerate(value for value in inside.split(",") if value):
            key, equals, value = argument.partition("=")
            if not equals and place >= len(schema.options):
                raise OptionError(
                    f"{name} takes {len(schema.options)} number(s); {inside!r} was given."
                )
            given[key if equals else schema.options[place].name] = value if equals else argument
        found.append((name, schema.validate(given)))
    return tuple(found)


def parse_weighted(text: str) -> tuple[tuple[str, float, dict[str, Any]], ...]:
    """ "0.5*total_variation 0.1*l1" as names with weights and options."""
    found = []
    for part in text.replace(")", ") ").split():
        weight, star, rest = part.partition("*")
        try:
            number = float(weight) if star else 1.0
        except ValueError:
            raise OptionError(
                f"A regularizer is written weight*name, as in 0.5*total_variation; {part!r} was"
                " given."
            ) from None
        if part.lower() != "none":
            found += [
                (name, number, options)
                for name, options in parse_steps(rest if star else part, regularizers.registry)
            ]
    return tuple(found)


def _weighted(
    parts: Sequence[tuple[str, dict[str, Any]]],
) -> list[tuple[str, float, dict[str, Any]]]:
    return [
        (name, float(options["weight"]), {k: v for k, v in options.items() if k != "weight"})
        for name, options in parts
    ]


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or int(value) < 1:
        raise OptionError(f"{name} must be 1 or more; {value!r} was given.")
    return int(value)


def numpy(tensor: Tensor) -> Any:
    """As a `Result` keeps it."""
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()
