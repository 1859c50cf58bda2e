from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Unpack

from convscope.core.ranges import (
    PositiveInt,
    Seed,
    Side,
)
from convscope.errors import DeadUnitError, NoGradientError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.questions.grammar import parse_question
from convscope.questions.target import Choice
from convscope.results.details import ImagesDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.objective import Objective, objective
from convscope.synthesis.optimize_batches import BATCH, BatchOptions, optimize_batches
from convscope.synthesis.overrides import ImageOverrides
from convscope.synthesis.result import OptimizationResult
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import images_result, resized
from convscope.verbs._verb import verb


@verb
def class_image(
    model: Model,
    target: int | str | Sequence[int | str],
    *,
    preset: str = "distill",
    size: Side | tuple[Side, Side] | None = None,
    seed: Seed = 0,
    half: bool = False,
    batch: PositiveInt = BATCH,
    **overrides: Unpack[ImageOverrides],
) -> Result:
    """What a class looks like to the network: the image that scores highest (Simonyan et al.,
    2013).

    Ascends the unnormalized score; of other questions, theirs. `result["image"]` is n 3 h w in
    [0, 1], `result["score"]` n steps. A table row a class has the network's answer to the picture.

    Args:
        model: what `load_model` takes.
        target: a class index, a label or an unambiguous part of one, or another question in words
            whose score has a gradient (mask:road, box:dog, value:1, like:photo2.jpg); or a list.
        preset: distill, whose pictures other networks recognize best; simonyan, the paper's way
            with CS231n's numbers (those for 64 px on a network of up to 96 px); maco ...
        size: height and width of the picture in pixels; the network's own by default.
        seed: of the one random generator.
        half: compute in bfloat16.
        batch: images optimized at once.

    Raises:
        TargetError: no such class.
        NoGradientError: a detector shows nothing but what it detects, and in noise that is nothing.

    Example:
        convscope.class_image(model, "tarantula", preset="simonyan")
        $ convscope class_image tarantula --preset distill --out tarantula.png
    """
    settings = Settings(
        preset,
        "class_image",
        model.preprocessing,
        size=size or model.size,
        **overrides,
    )
    targets = [target] if isinstance(target, (int, str)) else list(target)
    with Probe(model) as probe:
        goals = [_goal_of(model, target) for target in targets]
        with _explained_where_nothing_is_detected(model, goals):
            optimization = optimize_batches(
                probe,
                [goal.objective for goal in goals],
                settings,
                BatchOptions(seed, batch, half, task="class image"),
            )
        table = _table(probe, optimization, goals)
    return images_result("class_image", optimization, _details(goals, settings), table=table)


@contextmanager
def _explained_where_nothing_is_detected(model: Model, goals: Sequence[_Goal]) -> Iterator[None]:
    """Says what to do instead where a detector's answer to noise has no gradient."""
    try:
        yield
    except (NoGradientError, DeadUnitError) as error:
        if model.task != "detection":
            raise
        names = ", ".join(goal.title for goal in goals)
        raise NoGradientError(
            f"{model.name} finds no candidate for {names} in noise, so that there is no gradient to"
            f" follow; start from a photo, as in fool(model, photo, target={goals[0].target!r})."
        ) from error


def _details(goals: list[_Goal], settings: Settings) -> ImagesDetails:
    """Titles, the classes among the questions, and the preset."""
    classes = [goal.index for goal in goals if goal.index is not None]
    titles = [goal.title for goal in goals]
    return ImagesDetails(titles=titles, targets=classes, preset=settings.title)


@dataclass(frozen=True)
class _Goal:
    """What a picture is made for: an objective, its title, and the class where it is one."""

    objective: Objective
    title: str
    target: int | str
    index: int | None = None


def _goal_of(model: Model, target: int | str) -> _Goal:
    question = parse_question(model, target).of_any_image()
    if isinstance(question, Choice) and question.index is not None and question.against is None:
        index = question.index
        return _Goal(objective("logit", target=index), model.label(index), target, index)
    return _Goal(objective("score", question=str(target)), question.title(model), target)


def _table(probe: Probe, optimization: OptimizationResult, goals: list[_Goal]) -> list[Row]:
    """A row for each class: its score, the network's answer to the picture, and what went wrong; of
    other questions only their score."""
    model = probe.model
    images = model.preprocess(resized(optimization.image[:, : model.channels], model.size))
    scores = probe.scores(images)
    probabilities = model.probabilities(scores)
    rows: list[Row] = []
    for place, goal in enumerate(goals[: len(scores)]):
        first, last = (float(optimization.score[place, step]) for step in (0, -1))
        row: Row = {"target": goal.title, "first_score": first, "last_score": last}
        answer = None
        if goal.index is not None:
            answer = model.label(int(scores[place].argmax()))
            row |= {"answer": answer, "probability": float(probabilities[place, goal.index])}
        scores_by_step = optimization.score[place].tolist()
        rows.append(row | {"note": _note(goal.title, answer, scores_by_step)})
    return rows


def _note(label: str, answer: str | None, scores: Sequence[float]) -> str:
    """What went wrong with a class image, in one sentence; nothing where all went well. A score is
    that before its step, so that one alone says nothing of whether it rose."""
    first, last = scores[0], scores[-1]
    if len(scores) > 1 and not last > first:
        return (
            f"The score of {label} did not rise ({first:.3g} to {last:.3g}); a smaller or larger"
            " rate may help."
        )
    if answer is not None and answer != label:
        return f"The network takes this picture for {answer}, not for {label}."
    return ""
