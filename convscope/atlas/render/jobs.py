"""What there is to render, as data: a job is a chunk of a layer's units that are optimized
together, known by its content hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from convscope.atlas.render.layer_selection import head_layers, is_scores
from convscope.atlas.store.parts import digest
from convscope.atlas.store.rows import JobEntry
from convscope.networks.layer import Layers
from convscope.networks.model import Model
from convscope.synthesis.settings import Settings

PICTURE_VERSION = 2
"""Goes up when the same job would give other pictures than before."""

RECIPE_VERSION = 3
"""Goes up when it would give other rows, also with the same pictures. (3: `score` is that of the
finished picture.)"""


@dataclass(frozen=True)
class RenderSpec:
    """How every picture of an atlas is made. `parts` is the preset's data, so that an edited preset
    is another spec; `batch` belongs to it since a sum in floating point depends on how many images
    it runs over."""

    model: str
    model_id: str
    preset: str
    parts: Mapping[str, object]
    steps: int
    size: tuple[int, int]
    diversity: int
    diversity_weight: float
    seed: int
    batch: int
    half: bool

    @property
    def settings(self) -> Settings:
        """The preset with this spec's steps and size."""
        return Settings(self.preset, "visualize", steps=self.steps, size=self.size)

    def recipe(self) -> dict[str, object]:
        """What a row says about how it was made."""
        return {
            "preset": self.preset,
            "parts": self.parts,
            "steps": self.steps,
            "size": list(self.size),
            "diversity": self.diversity,
            "diversity_weight": self.diversity_weight,
            "batch": self.batch,
            "half": self.half,
        }

    @property
    def units(self) -> int:
        """How many units are optimized together: a unit's faces are never parted."""
        return max(1, self.batch // self.diversity)


@dataclass(frozen=True)
class RenderJob:
    """The units `first` to `last` - 1 of one layer, or, if `of_scores`, of the network's scores.
    `classes` are their labels where they are classes."""

    spec: RenderSpec
    layer: str
    depth: int
    first: int
    last: int
    classes: tuple[str, ...] = ()
    of_scores: bool = False

    @cached_property
    def hash(self) -> str:
        """Of everything that the rows depend on."""
        return digest(
            [
                *self._identity(),
                RECIPE_VERSION,
                self.first,
                self.last,
                self.spec.batch,
                list(self.classes),
            ]
        )[:32]

    def key(self, unit: int, face: int) -> str:
        """The content hash of one picture, whichever job makes it."""
        return digest([*self._identity(), unit, face])[:32]

    def _identity(self) -> list[object]:
        recipe = {name: value for name, value in self.spec.recipe().items() if name != "batch"}
        return ["units", PICTURE_VERSION, self.spec.model_id, self.layer, recipe, self.spec.seed]

    def to_json(self) -> JobEntry:
        """What a part says about it."""
        return {
            "job": self.hash,
            "layer": self.layer,
            "first": self.first,
            "last": self.last,
            "rows": len(self),
        }

    @property
    def num_units(self) -> int:
        """How many units it is of."""
        return self.last - self.first

    def __len__(self) -> int:
        """How many rows it makes."""
        return self.num_units * self.spec.diversity

    def __str__(self) -> str:
        return f"{self.layer}:{self.first}-{self.last - 1}"


def render_jobs(
    model: Model,
    layers: Layers,
    names: Sequence[str],
    spec: RenderSpec,
    sizes: Mapping[str, int] | None = None,
) -> list[RenderJob]:
    """The chunks of each layer, in the network's order. `sizes` holds the height and width for
    layers that have their own."""
    heads = set(head_layers(model, layers)) if model.labels else set()
    jobs = []
    for name in names:
        of_scores = is_scores(layers, name)
        units = model.classes if of_scores else layers[name].units
        depth = (
            max(layer.order for layer in layers.values()) + 1 if of_scores else layers[name].order
        )
        side = (sizes or {}).get(name)
        own_spec = spec if side is None else replace(spec, size=(side, side))
        is_labeled = bool(model.labels) and (of_scores or name in heads)
        labels = [model.label(index) for index in range(units)] if is_labeled else []
        for first in range(0, units, spec.units):
            last = min(first + spec.units, units)
            classes = tuple(labels[first:last])
            jobs.append(RenderJob(own_spec, name, depth, first, last, classes, of_scores))
    return jobs
