"""Which examples there are to cut out, as data: a job is a chunk of a layer's units, and of each
unit the best photos and a sample over its range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from convscope.atlas.scan.pass_state import PassState
from convscope.atlas.scan.top_k import NOTHING, evenly_spaced
from convscope.atlas.store.parts import digest, float32
from convscope.atlas.store.rows import JobEntry

RECIPE_VERSION = 1
"""Goes up when the same photos would give other rows than before."""

UNITS_PER_JOB = 32
"""Units whose examples share a part."""


@dataclass(frozen=True)
class ExampleJob:
    """The units `first` to `last` - 1 of a layer: one part of examples. `run` is the hash of the
    pass they are from."""

    run: str
    layer: str
    depth: int
    first: int
    last: int

    @property
    def hash(self) -> str:
        """The content hash of its rows."""
        return digest(["examples", RECIPE_VERSION, self.run, self.layer, self.first, self.last])[
            :32
        ]

    def to_json(self, rows: int) -> JobEntry:
        """What its part says about it."""
        return {
            "job": self.hash,
            "layer": self.layer,
            "first": self.first,
            "last": self.last,
            "run": self.run,
            "rows": rows,
        }


@dataclass(frozen=True)
class Example:
    """A photo of a unit, and the place of its highest value in the layer's maps."""

    job: ExampleJob
    unit: int
    kind: Literal["top", "sample"]
    rank: int
    value: float
    photo: int
    row: int
    column: int


def example_jobs(run: str, layer: str, depth: int, units: int) -> list[ExampleJob]:
    """The chunks of a layer."""
    return [
        ExampleJob(run, layer, depth, first, min(first + UNITS_PER_JOB, units))
        for first in range(0, units, UNITS_PER_JOB)
    ]


def select_examples(state: PassState, job: ExampleJob, samples: int) -> Iterator[Example]:
    """The examples of one job: the best of each unit, and `samples` over its range."""
    tops = state.layers[job.layer]
    columns = tops.grid[1]
    for unit in range(job.first, job.last):
        for rank, photo in enumerate(tops.photo[unit].tolist()):
            if photo != NOTHING:
                row, column = divmod(int(tops.place[unit, rank]), columns)
                value = float32(tops.value[unit, rank])
                yield Example(job, unit, "top", rank, value, photo, row, column)
        values = tops.reservoir_value[:, unit]
        for rank, drawn in enumerate(evenly_spaced(values, samples)):
            row, column = divmod(int(tops.reservoir_place[drawn, unit]), columns)
            value, photo = float32(values[drawn]), state.reservoir[drawn][1]
            yield Example(job, unit, "sample", rank, value, photo, row, column)
