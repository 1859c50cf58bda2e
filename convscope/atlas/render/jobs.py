"""What there is to do, as data: a job is a chunk of a layer's units that climb together, known by
its content hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from convscope.atlas.render.layer_selection import is_head
from convscope.atlas.store.tables import digest
from convscope.networks.layer import Layers
from convscope.networks.model import Model
from convscope.synthesis.settings import Settings

RECIPE_VERSION = 2
"""Goes up when the same job would give other pictures than before."""


@dataclass(frozen=True)
class Spec:
    """How every picture of an atlas is made. `parts` is the preset's data, so that an edited preset
    is another spec; `batch` belongs to it since a sum in floating point depends on how many images
    it runs over."""

    model: str
    model_id: str
    preset: str
    parts: dict[str, Any]
    steps: int
    size: tuple[int, int]
    diversity: int
    diversity_weight: float
    seed: int
    batch: int
    half: bool

    @classmethod
    def of(cls, model: Model, settings: Settings, preset: str, **given: Any) -> Spec:
        """The spec of a network and a plan."""
        return cls(
            model.name,
            model.identity,
            preset,
            settings.preset_parts,
            settings.steps,
            settings.size,
            **given,
        )

    @property
    def settings(self) -> Settings:
        """The plan again."""
        return Settings(self.preset, "visualize", steps=self.steps, size=self.size)

    def recipe(self) -> dict[str, Any]:
        """What a row says about how it was made."""
        kept = (
            "preset",
            "parts",
            "steps",
            "size",
            "diversity",
            "diversity_weight",
            "batch",
            "half",
        )
        found = {name: getattr(self, name) for name in kept}
        return found | {"size": list(self.size)}

    @property
    def units(self) -> int:
        """How many units climb together: a unit's faces are never parted."""
        return max(1, self.batch // self.diversity)


@dataclass(frozen=True)
class Job:
    """The units `first` to `last` - 1 of one layer. `classes` are their labels where they are
    classes."""

    spec: Spec
    layer: str
    depth: int
    first: int
    last: int
    classes: tuple[str, ...] = ()

    @cached_property
    def hash(self) -> str:
        """Of everything that the rows depend on."""
        return digest(
            [*self._identity(), self.first, self.last, self.spec.batch, list(self.classes)]
        )[:32]

    def key(self, unit: int, face: int) -> str:
        """The content hash of one picture, whichever job makes it."""
        return digest([*self._identity(), unit, face])[:32]

    def _identity(self) -> list[Any]:
        recipe = {name: value for name, value in self.spec.recipe().items() if name != "batch"}
        return ["units", RECIPE_VERSION, self.spec.model_id, self.layer, recipe, self.spec.seed]

    def to_json(self) -> dict[str, Any]:
        """What a part says about it."""
        return {
            "job": self.hash,
            "layer": self.layer,
            "first": self.first,
            "last": self.last,
            "rows": len(self),
        }

    def __len__(self) -> int:
        """How many rows it makes."""
        return (self.last - self.first) * self.spec.diversity

    def __str__(self) -> str:
        return f"{self.layer}:{self.first}-{self.last - 1}"


def jobs_of(model: Model, layers: Layers, names: Sequence[str], spec: Spec) -> list[Job]:
    """The chunks of each layer, in the network's order."""
    found = []
    for name in names:
        units = layers[name].units
        labels = (
            [model.label(index) for index in range(units)]
            if model.labels and is_head(model, layers, name)
            else []
        )
        for first in range(0, units, spec.units):
            last = min(first + spec.units, units)
            found.append(
                Job(spec, name, layers[name].order, first, last, tuple(labels[first:last]))
            )
    return found
