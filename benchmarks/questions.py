"""Whether the heat of a box, a pixel or a mask lies where it was asked: the tables of
docs/questions.md, ours beside pytorch-grad-cam's recipe.

    python -m benchmarks.questions PHOTOS [--scenes 10] [--weights build/questions] [--write]
    python -m benchmarks.questions PHOTOS --pictures     the pictures of the pages only
    python -m benchmarks.questions PHOTOS --only d_rise  rows with this word; the others stay

PHOTOS holds labeled photos whose alpha channel is the object's mask. A detector and a segmenter
are trained on scenes made of them (a few minutes on two cores, kept in the folder of weights), and
asked about scenes with two objects of one class on other backgrounds: the share of the positive
heat that lies inside the box asked about. A method that cannot tell the two apart has half.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import convscope
from benchmarks._page import between, write_measured
from benchmarks._peers import require_peers
from benchmarks._scenes import NAMES, SIDE, Scene, Scenes
from benchmarks._trained_heads import heads_of
from benchmarks.question_kinds import (
    Question,
    box_questions,
    mask_questions,
    pixel_questions,
    share_inside,
)
from benchmarks.question_methods import Contestant, box_contestants, map_contestants
from benchmarks.question_pages import BEGIN, END, PAGE, draw, draw_gallery, earlier_rows, table
from convscope.networks.model import Model

PICTURED = 1
"""The scene that is drawn."""


def measure(
    contestants: dict[str, Contestant], questions: list[Question]
) -> dict[str, list[float]]:
    shares: dict[str, list[float]] = defaultdict(list)
    for question in questions:
        for name, heat in contestants.items():
            shares[name].append(share_inside(heat(question), question.place))
    return shares


def models(weights: Path, photos: str) -> tuple[Model, Model, Model]:
    """The detector, the segmenter and the regressor."""
    labels = Scenes(photos).labels
    networks = heads_of(weights, photos)
    detector, segmenter = (
        convscope.load_model(networks[name], size=SIDE, labels=labels, mean=mean, std=mean)
        for name, mean in (("detector", None), ("segmenter", 0.5))
    )
    regressor = convscope.load_model(
        networks["regressor"], size=SIDE, task="regression", labels=["objects", "share covered"]
    )
    return detector, segmenter, regressor


def options() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--weights", type=Path, default=Path("build/questions"))
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument(
        "--only",
        help="measure the methods whose name has this word; the other rows of the page stay",
    )
    parser.add_argument("--pictures", action="store_true", help="draw the pages' pictures only")
    return parser


Section = tuple[str, Iterable[Question], dict[str, Contestant]]
"""A table's title, its questions, and who answers."""


def sections(
    detector: Model, segmenter: Model, twins: list[Scene], pairs: list[Scene]
) -> list[Section]:
    """The tables of the page: `twins` are of one class, `pairs` of two."""
    return [
        (
            "A box beside another of its class",
            box_questions(detector, twins),
            box_contestants(detector),
        ),
        (
            "A pixel of an object beside another of its class",
            pixel_questions(segmenter, twins),
            map_contestants(segmenter),
        ),
        (
            "The mask of a class beside an object of another",
            mask_questions(segmenter, pairs),
            map_contestants(segmenter),
        ),
    ]


def main() -> None:
    """Measure the tables, or draw the pictures."""
    arguments = options().parse_args()
    require_peers("questions")
    warnings.simplefilter("ignore")
    detector, segmenter, regressor = models(arguments.weights, arguments.photos)
    drawing, rng = Scenes(arguments.photos, is_test=True), np.random.default_rng(1)
    twins = [drawing.twins(rng) for _ in range(arguments.scenes)]
    if arguments.pictures:
        draw(detector, twins[PICTURED])
        draw_gallery(detector, segmenter, regressor, twins[PICTURED])
        return
    pairs = [
        drawing.draw(rng, rng.choice(np.arange(1, len(NAMES) + 1), 2, replace=False).tolist())
        for _ in range(arguments.scenes)
    ]
    parts = []
    for title, section, contestants in sections(detector, segmenter, twins, pairs):
        questions = list(section)
        if arguments.only:
            contestants = {
                name: heat for name, heat in contestants.items() if arguments.only in name
            }
        rows = earlier_rows(title, contestants) if arguments.only else []
        parts.append(table(title, measure(contestants, questions), questions, rows))
        print(parts[-1], flush=True)
    if arguments.write:
        page = between(PAGE.read_text(), BEGIN, END, "\n".join(parts))
        write_measured(PAGE, page, "benchmarks.questions PHOTOS --write", (BEGIN, END))


if __name__ == "__main__":
    main()
