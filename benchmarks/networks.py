"""Every network that people bring, and every verb on it: the table of docs/networks.md.

    python -m benchmarks.networks             # all networks, each verb with two steps
    python -m benchmarks.networks onnx keras  # those whose name has one of these words
    python -m benchmarks.networks --write     # and put both tables into docs/networks.md
    python -m benchmarks.networks --write --tasks  # the table of those that are no classifiers

A cell is the seconds that the verb took, picture included, or the number of the sentence that said
why not. Weights are random where real ones come from a hub, and convolutional networks run at 96
px: the table is about whether it works, not how fast.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import convscope
from benchmarks._page import between, write_measured
from convscope import Model
from convscope.probe import Probe
from tests import user_networks

DOCS = Path(__file__).parent.parent / "docs" / "networks.md"
MARKS = {
    "classifiers": ("<!-- classifiers -->", "<!-- end of classifiers -->"),
    "tasks": ("<!-- tasks -->", "<!-- end of tasks -->"),
}
"""Where the page holds its tables: classifiers, and all other networks."""


@dataclass
class Row:
    """What one network did: verb -> seconds, or a sentence."""

    name: str
    cells: dict[str, float | str] = field(default_factory=dict)


def photo_for(model: Model) -> Any:
    """What the network sees of a real photo; a made one where it does not take one or three
    channels."""
    if model.channels in (1, 3):
        return model.fit(convscope.load_image("sample:chelsea"))
    return torch.rand((1, model.channels, *model.size), generator=torch.Generator().manual_seed(0))


def middle(model: Model) -> str:
    """A layer in the middle."""
    with Probe(model) as probe:
        layers = probe.layers.spread(3)
    return layers[len(layers) // 2]


def unit_of(model: Model) -> str:
    """The unit of that layer which answers most to the dry run's image: with random weights many
    are dead."""
    layer = middle(model)
    with Probe(model) as probe:
        maps = probe.activations(model.noise_input(), [layer])[layer]
    return f"{layer}:{int(maps.flatten(2).mean(2)[0].argmax())}"


def question_of(model: Model) -> int | str | None:
    """What `explain` is asked: the network's own answer, or of an embedding a likeness."""
    return "like:sample:coffee" if model.task == "embedding" else None


def wanted_of(model: Model) -> int | str:
    """What a picture is made for: a class, a value, a likeness. Class 0 of a detector is often the
    background."""
    wanted: dict[str, int | str] = {
        "detection": 1,
        "segmentation": 1,
        "regression": "value",
        "embedding": "like:sample:coffee",
    }
    return wanted.get(model.task, 0)


def goal_of(model: Model) -> int | str | None:
    """What a photo is changed to: a class, a box or a mask that vanishes, a value or a likeness
    that reaches a number."""
    goals: dict[str, int | str | None] = {
        "detection": None,
        "segmentation": None,
        "regression": "value:0=9",
        "embedding": "like:sample:coffee=0.99",
    }
    return goals.get(model.task, 0)


VERBS: dict[str, Callable[[Model], Any]] = {
    "predict": lambda model: convscope.predict(model, photo_for(model)),
    "layers": lambda model: convscope.layers(model),
    "activations": lambda model: convscope.activations(model, photo_for(model)),
    "explain": lambda model: convscope.explain(model, photo_for(model), target=question_of(model)),
    "saliency": lambda model: convscope.explain(
        model, photo_for(model), method="saliency", target=question_of(model)
    ),
    "occlusion": lambda model: convscope.explain(
        model,
        photo_for(model),
        method="occlusion",
        target=question_of(model),
        window=model.size[0] // 2,
        stride=model.size[0] // 2,
        batch=1,
    ),
    "features": lambda model: convscope.features(model, photo_for(model), layer=middle(model)),
    "visualize": lambda model: convscope.visualize(model, unit_of(model), steps=2),
    "class_image": lambda model: convscope.class_image(model, wanted_of(model), steps=2),
    "invert": lambda model: convscope.invert(model, photo_for(model), layer=middle(model), steps=2),
    "dream": lambda model: convscope.dream(model, photo_for(model), octaves=1, steps=2),
    "fool": lambda model: convscope.fool(model, photo_for(model), target=goal_of(model), steps=2),
    "caricature": lambda model: convscope.caricature(model, photo_for(model), steps=2),
}


def try_verb(run: Callable[[Model], Any], model: Model) -> float | str:
    """Seconds, or the sentence. Anything but a sentence of ours is a failure of the matrix and
    comes through."""
    started = time.perf_counter()
    try:
        result = run(model)
        result.picture()
        for name, array in result.arrays.items():
            assert np.isfinite(array).all(), f"{name} is not finite"
    except convscope.ConvscopeError as error:
        assert "\n" not in str(error), f"not one sentence: {error}"
        return f"{type(error).__name__}: {error}"
    return time.perf_counter() - started


TABLES: dict[str, tuple[dict[str, user_networks.Bring], list[str]]] = {
    "classifiers": (
        user_networks.CLASSIFIERS,
        [verb for verb in VERBS if verb not in ("occlusion", "features")],
    ),
    "tasks": (user_networks.TASKS, list(VERBS)),
}
"""Table -> its networks and its verbs."""


def matrix(name_of_table: str, words: list[str], folder: Path) -> list[Row]:
    """All rows of a table whose network's name has one of the words."""
    rows = []
    networks, verbs = TABLES[name_of_table]
    for name, bring in networks.items():
        if words and not any(word in name for word in words):
            continue
        row = Row(name)
        try:
            model = bring(folder)
        except convscope.ConvscopeError as error:
            row.cells = dict.fromkeys(verbs, f"{type(error).__name__}: {error}")
        else:
            for verb in verbs:
                row.cells[verb] = try_verb(VERBS[verb], model)
        rows.append(row)
        print(line(row), flush=True)
    return rows


def line(row: Row, notes: list[str] | None = None) -> str:
    """A row of the table; sentences go to `notes` by number."""
    cells = []
    for cell in row.cells.values():
        if isinstance(cell, float):
            cells.append(f"{cell:.1f}")
        elif notes is None:
            cells.append(cell)
        else:
            notes.append(cell) if cell not in notes else None
            cells.append(f"[{notes.index(cell) + 1}]")
    return f"| {row.name} | {' | '.join(cells)} |"


def table(rows: list[Row]) -> str:
    """The whole table in Markdown, with the sentences below."""
    notes: list[str] = []
    verbs = list(rows[0].cells)
    head = f"| network | {' | '.join(verbs)} |\n|---|{'---|' * len(verbs)}"
    body = "\n".join(line(row, notes) for row in rows)
    sentences = [f"{number}. {note}" for number, note in enumerate(notes, start=1)]
    if notes:
        sentences = ["A number in brackets is a sentence below.", "", *sentences]
    return "\n".join([head, body, "", *sentences]).rstrip() + "\n"


def write(name_of_table: str, rows: list[Row]) -> None:
    """Put a table into the documentation."""
    begin, end = MARKS[name_of_table]
    page = between(DOCS.read_text(encoding="utf-8"), begin, end, table(rows))
    write_measured(DOCS, page, "benchmarks.networks --write", MARKS[name_of_table])


def main(arguments: list[str]) -> None:
    """Run and print; with --write into the documentation."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    words = [word for word in arguments if not word.startswith("--")]
    tables = [name for name in TABLES if f"--{name}" in arguments] or list(TABLES)
    for name in tables:
        with tempfile.TemporaryDirectory() as folder:
            rows = matrix(name, words, Path(folder))
        if "--write" in arguments and not words:
            write(name, rows)
        cells = [cell for row in rows for cell in row.cells.values()]
        failed = sum(isinstance(cell, str) for cell in cells)
        print(f"{name}: {len(rows)} networks, {failed} sentences, {len(cells) - failed} pictures")


if __name__ == "__main__":
    main(sys.argv[1:])
