from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
from torch import Tensor

from convscope.core.ranges import (
    Seed,
)
from convscope.errors import TargetError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.goal import Answer, Goal
from convscope.questions.target import Choice, Target
from convscope.results.arrays import Array, to_numpy
from convscope.results.details import FoolingDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.eight_bit import EightBit, rounded
from convscope.synthesis.norm_bound import NormBound
from convscope.synthesis.objective import Objective, objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.overrides import TransformOverrides
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult
from convscope.synthesis.settings import Settings
from convscope.verbs._goal_watch import GoalWatch
from convscope.verbs._smallest_change import SmallestChange
from convscope.verbs._synthesis import add_snapshots, notes_of, seen_by
from convscope.verbs._verb import PhotoLike, bytes_of, verb


@verb
def fool(
    model: Model,
    photo: PhotoLike,
    *,
    target: int | str | Sequence[int | str] | None = None,
    preset: str = "cs231n",
    half: bool = False,
    seed: Seed = 0,
    **overrides: Unpack[TransformOverrides],
) -> Result:
    """The smallest steps that make the network say something else (Szegedy et al., 2013; steps as
    in CS231n).

    Ascends the target's score by rate * g / ||g||, in the network's own units, until the network
    says the target. Every image that the network is asked about is rounded to 8 bits first, so that
    the saved PNG fools too. `result["image"]` is n 3 h w in [0, 1] at the network's size,
    `result["original"]` what the network saw before, `result["score"]` n steps. A table row per
    photo says whether it was fooled, in how many steps, both answers, and the L2 and Linf size of
    the change in [0, 1] units.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        target: a class index or label; box:K or mask:LABEL, to be gone; pixel:X,Y@LABEL; or
            value:K=NUMBER or like:PHOTO=NUMBER (a cosine), to be crossed; or one for each photo;
            by default the least likely class, the surest box or the largest mask.
        preset: cs231n (normalized gradient), plain (rate 200 on the gradient itself), or minimal
            (the smallest change: raises the log-probability at a distance from the photo that
            shrinks while the image fools and grows while it does not, as in Rony et al., 2019; all
            its steps are made, and the nearest image that fools is the answer).
        steps: at most so many steps.
        half: climb in bfloat16; the network is asked in full precision before an image counts as
            fooling.
        seed: of the one random generator; the published presets draw nothing.

    Raises:
        TargetError: no such class, or another number of targets than of photos.

    Example:
        convscope.fool(model, "cat.jpg", target="stingray")
        $ convscope fool cat.jpg --target stingray --out fooled.png
    """
    settings = Settings(preset, "fool", model.preprocessing, size=model.size, **overrides)
    with Probe(model) as probe:
        original = rounded(seen_by(probe, photo))
        goals, before = _goals_and_answers(probe, target, original, photo)
        watch, optimization = _fool(probe, settings, original, goals, seed, half)
        image = watch.images()
        after = _answers(probe, goals, image)
        table = _table(model, watch, settings.steps, before, after, image - original)
    arrays = {
        "image": to_numpy(image),
        "original": to_numpy(original),
        "score": to_numpy(optimization.score),
        **_classes(goals),
    }
    titles = [f"{row['before']} to {row['after']}" for row in table]
    details = FoolingDetails(
        titles=titles,
        ended=optimization.early_stop,
        snapshots=add_snapshots(arrays, optimization.snapshots),
        preset=settings.title,
        notes=notes_of(table),
    )
    return Result("fool", details, arrays, table, bytes_of(photo))


def _goals_and_answers(
    probe: Probe,
    target: int | str | Sequence[int | str] | None,
    original: Tensor,
    photos: Sequence[Tensor],
) -> tuple[list[Goal], list[Answer]]:
    """What each photo should be changed to, and what the network says of it before."""
    targets: list[int | str | None]
    if target is None or isinstance(target, (int, str)):
        targets = [target] * len(original)
    else:
        targets = list(target)
    if len(targets) != len(original):
        raise TargetError(
            f"{len(targets)} targets were given for {len(original)} photos; give one, or one for"
            " each."
        )
    model, output = probe.model, probe.output(probe.model.preprocess(original))
    goals = []
    for image, (wanted, photo) in enumerate(zip(targets, photos, strict=True)):
        goal = Goal.of(model, wanted, output, image)
        size = (photo.shape[-2], photo.shape[-1])
        goals.append(replace(goal, question=goal.question.prepare(model, size)))
    return goals, [goal.answer(model, output, image) for image, goal in enumerate(goals)]


def _classes(goals: Sequence[Goal]) -> dict[str, Array]:
    """The class of every goal, where all are classes."""
    classes = [goal.question.index for goal in goals if isinstance(goal.question, Choice)]
    return {"target": np.array(classes, np.float32)} if len(classes) == len(goals) else {}


def _answers(probe: Probe, goals: Sequence[Goal], image: Tensor) -> list[Answer]:
    """What the network says of each image."""
    output = probe.output(probe.model.preprocess(image))
    return [goal.answer(probe.model, output, place) for place, goal in enumerate(goals)]


def _objective(goal: Goal, place: int, kind: str) -> Objective:
    """What is raised for a goal: of a class, the preset's kind of objective; any other question
    itself is handed over beside it."""
    if isinstance(goal.question, Choice) and goal.question.index is not None:
        return objective(kind, target=goal.question.index)
    return objective("score", question=str(place)) * (1 if goal.rises else -1)


def _fool(
    probe: Probe,
    settings: Settings,
    original: Tensor,
    goals: list[Goal],
    seed: int,
    half: bool,
) -> tuple[GoalWatch, OptimizationResult]:
    """From the photos towards the goals, on a faster copy of the network."""
    streams = RandomStreams.of(seed, ["fool"] * len(original), original.device)
    parameterization = settings.parameterization(probe, len(original), streams, original)
    if settings.preset.norm_step:
        bound = NormBound(parameterization, original, settings.preset.norm_step)
        image = EightBit(bound)
        watch: GoalWatch = SmallestChange(probe, image, goals, original, bound)
    else:
        image = EightBit(parameterization)
        watch = GoalWatch(probe, image, goals)
    kind = settings.preset.objective or "logit"
    objectives = [_objective(goal, place, kind) for place, goal in enumerate(goals)]
    with Probe(inference_copy(probe.model, half=half)) as fast_probe:
        result = optimize(
            fast_probe,
            objectives,
            image,
            streams,
            settings.config,
            questions={
                str(place): Target(fast_probe.model, (goal.question,))
                for place, goal in enumerate(goals)
            },
            stop_condition=watch,
            task="fool",
        ).require_gradient()
        # An image is evaluated before the step that follows it, so the last one is missing.
        if result.early_stop is None:
            image.evaluated = image.shown
            watch(image.shown, fast_probe.output(probe.model.preprocess(image.shown)))
    return watch, result


def _table(
    model: Model,
    watch: GoalWatch,
    steps: int,
    before: Sequence[Answer],
    after: Sequence[Answer],
    change: Tensor,
) -> list[Row]:
    """A row for each photo: whether it was fooled, both answers, and the size of the change."""
    rows: list[Row] = []
    for place, (goal, first, last) in enumerate(zip(watch.goals, before, after, strict=True)):
        fooled_at = watch.fooled_at[place]
        row: Row = {
            "photo": place,
            # An answer that was the target from the start is nobody's fault.
            "fooled": fooled_at > 0,
            "steps": fooled_at if fooled_at >= 0 else steps,
            "target": goal.title(model),
            "before": first.text,
            "before_probability": first.probability,
            "after": last.text,
            "after_probability": last.probability,
            "l2": float(change[place].norm()),
            "linf": float(change[place].abs().max()),
        }
        rows.append(row | {"note": _note(row, is_reached=fooled_at == 0)})
    return rows


def _note(row: Row, *, is_reached: bool) -> str:
    """What went wrong with a photo, in one sentence; nothing where the network was fooled."""
    if row["fooled"]:
        return ""
    if is_reached:
        return f"The network says {row['target']} already, so there is nothing to fool."
    if row["linf"] == 0:
        return (
            f"Not fooled in {row['steps']} steps: nothing of the change is left at 8 bits; a larger"
            " rate may help."
        )
    return (
        f"Not fooled in {row['steps']} steps: the network still says {row['after']}; more steps or"
        " another rate may help."
    )
