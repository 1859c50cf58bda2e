"""The classic recipes as calls of the public verbs, each beside its literal loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import convscope
from benchmarks import recipe_loops as loops
from benchmarks.recipe_loops import PHOTO, SEED, Run, Trial
from convscope.results.result import Result

Rate = float | None


def call(
    verb: Callable[..., Result], trial: Trial, rate: Rate, *subjects: Any, **options: Any
) -> Result:
    """A verb on the trial's network, with its steps and the seed of the loops."""
    options = {"steps": trial.steps, **options}
    return verb(trial.network.model, *subjects, seed=SEED, rate=rate, **options)


def class_image(trial: Trial, rate: Rate) -> Result:
    target = trial.network.target
    return call(convscope.class_image, trial, rate, target, preset="simonyan", redirect=0)


def fool(trial: Trial, rate: Rate) -> Result:
    target = trial.network.target
    return call(convscope.fool, trial, rate, PHOTO, target=target, preset="cs231n")


def invert(trial: Trial, rate: Rate) -> Result:
    layer = trial.network.layer
    return call(convscope.invert, trial, rate, PHOTO, layer=layer, preset="cs231n")


def dream(trial: Trial, rate: Rate, **options: Any) -> Result:
    photo = trial.network.model.fit(convscope.load_image(PHOTO))
    options = {"preset": "cs231n", **options}
    return call(convscope.dream, trial, rate, photo, layer=trial.network.layer, **options)


def dream_in_octaves(trial: Trial, rate: Rate) -> Result:
    return dream(trial, rate, preset="deepdream", steps=trial.steps // 4)


def filter_pattern(trial: Trial, rate: Rate) -> Result:
    network = trial.network
    unit = f"{network.layer}:{network.unit}"
    size = network.model.size
    return call(convscope.visualize, trial, rate, unit, preset="chollet", size=size, redirect=0)


@dataclass(frozen=True)
class Job:
    """A recipe: its literal loop, the verb, the preset, the recipe's own number of steps, and for a
    rate on the gradient itself that rate with the range that it was published for."""

    loop: Callable[[Trial], Run]
    verb: Callable[[Trial, Rate], Result]
    preset: str
    steps: int
    rate: tuple[float, float] | None = None


JOBS = {
    "filter pattern": Job(loops.filter_pattern, filter_pattern, "chollet", 40),
    "class image": Job(
        loops.class_image, class_image, "simonyan", 100, (25.0, loops.IMAGENET_SPAN)
    ),
    "fooling": Job(loops.fool, fool, "cs231n", 100),
    "inversion": Job(loops.invert, invert, "cs231n", 500, (10000.0, loops.BYTE_SPAN)),
    "DeepDream": Job(loops.dream, dream, "cs231n", 200, (5.0, loops.BYTE_SPAN)),
    "DeepDream in octaves": Job(loops.dream_in_octaves, dream_in_octaves, "deepdream", 40),
}
