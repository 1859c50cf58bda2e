"""The classic recipes beside loops written from their formulas, on the networks they are for.

    python -m benchmarks.recipes --out docs/recipes.md --sheet docs/recipes.jpg
    python -m benchmarks.recipes --networks embedded --jobs inversion --steps 8

Each job runs twice from the same seed and start: by a literal loop of a few lines
(`recipe_loops.py`), and by the public verb with the preset of that name. Compared are the score at
every step and the final image. Where a network's input has another range than the one the numbers
were published for, both take the numbers brought to its range (see `Settings`); where the published
rate does not suit a network's own scale of scores, both take it times the power of ten that the
table names. Where the two part, the literal loop runs once more with its start moved by a
millionth of the range: what parts it from itself is rounding.

Weights are random but for the embedded network; the network of 64 px is the embedded one behind a
resize, with pixels from 0 to 255 and a mean image.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks import recipe_loops as loops
from benchmarks._page import DOCS, write_measured
from benchmarks._peers import require_peers
from benchmarks._sheets import write_sheet
from benchmarks.recipe_loops import Network, Run, Trial, usable_factor
from benchmarks.recipe_networks import networks
from benchmarks.recipe_verbs import JOBS, Job
from convscope.results.pictures import Panel, to_uint8

STEPS = 128
"""The most that a recipe takes here."""

EARLY = 5
"""Steps before rounding has grown."""

WITHIN = 0.01
"""Largest difference that counts as the same."""

NUDGE = 1e-6
"""By how much of the range a start is moved to see what rounding does."""

MAGNIFIED = 10.0
"""How many times as far as a nudged loop from itself two curves may be apart by rounding alone."""


def compared(name: str, network: Network, most: int) -> tuple[dict[str, str], list[Image.Image]]:
    """A row of the table, and both pictures."""
    job = JOBS[name]
    factor = usable_factor(job.loop, network, falls=name == "inversion") if job.rate else 1.0
    trial = Trial(network, min(job.steps, most), factor)
    expected = job.loop(trial)
    result = job.verb(trial, None if factor == 1 else factor * _rate_there(job, network))
    scores = result["score"][0]
    count = min(len(scores), len(expected.scores))
    wanted = np.array(expected.scores[:count])
    apart = _apart(wanted, scores[:count])
    image = torch.from_numpy(result["image"][0])
    levels = float((image - expected.image.clamp(0, 1)).abs().mean() * 255)
    is_same = max(apart, levels / 255) <= WITHIN and len(scores) == len(expected.scores)
    row = {
        "job": name,
        "network": network.name,
        "preset": job.preset,
        "steps": str(count),
        "rate": "published" if factor == 1 else f"x {factor:g}",
        "score, first": f"{wanted[0]:.4g}",
        "score, last, literal": f"{wanted[-1]:.4g}",
        "score, last, ours": f"{scores[count - 1]:.4g}",
        f"apart, {EARLY} steps": f"{_apart(wanted[:EARLY], scores[:EARLY]):.3%}",
        "curves apart": f"{apart:.2%}",
        "images apart (levels)": f"{levels:.2f}",
        "same": "yes" if is_same else "no",
        "why not": "" if is_same else _reason(job, trial, expected, list(scores), apart, levels),
        "what ours says": "; ".join(str(entry.get("note", "")) for entry in result.table),
    }
    return row, [_picture(expected.image), _picture(image)]


def _rate_there(job: Job, network: Network) -> float:
    """The published rate in the network's units; class images of small networks have their own."""
    assert job.rate is not None
    rate, span = job.rate
    if job.preset == "simonyan" and max(network.model.size) <= 96:
        rate, span = 10000.0, loops.BYTE_SPAN
    return rate * (network.span / span) ** 2


def _apart(wanted: np.ndarray, scores: np.ndarray) -> float:
    """The largest difference of two curves, relative to the largest score."""
    return float(np.abs(scores - wanted).max() / max(np.abs(wanted).max(), 1e-12))


def _reason(
    job: Job, trial: Trial, expected: Run, ours: Sequence[float], apart: float, levels: float
) -> str:
    """What rounding alone does to the literal loop, and whether that explains the difference."""
    nudged = job.loop(replace(trial, nudge=NUDGE))
    count = min(len(nudged.scores), len(expected.scores))
    curves = _apart(np.array(expected.scores[:count]), np.array(nudged.scores[:count]))
    itself = float((nudged.image - expected.image).abs().mean() * 255)
    explained = apart <= max(WITHIN, MAGNIFIED * curves) and levels <= max(
        255 * WITHIN, MAGNIFIED * itself
    )
    verdict = "rounding" if explained else "**unexplained**"
    return (
        f"{verdict}: ours is within 1 % for the first {_alike(expected.scores, ours)} steps; the"
        " literal loop from a start moved by a millionth is for the first"
        f" {_alike(expected.scores, nudged.scores)}, and parts from itself by {curves:.2%} and"
        f" {itself:.2f} levels"
    )


def _alike(wanted: Sequence[float], scores: Sequence[float]) -> int:
    """For how many steps two curves are within 1 % of the largest score."""
    count = min(len(wanted), len(scores))
    first, second = np.array(wanted[:count]), np.array(scores[:count])
    far = np.abs(first - second) > WITHIN * max(np.abs(first).max(), 1e-12)
    return int(far.argmax()) if far.any() else count


def _picture(image: Tensor) -> Image.Image:
    return Image.fromarray(to_uint8(image.detach().clamp(0, 1).permute(1, 2, 0).numpy()))


def markdown(rows: list[dict[str, str]], most: int) -> str:
    """The page with the table."""
    head = list(rows[0])
    same = sum(row["same"] == "yes" for row in rows)
    lines = [
        "# The classic recipes, beside loops written from their formulas",
        "",
        "`python -m benchmarks.recipes` writes this page. Every job runs as long as its recipe"
        f" says, at most {most} steps, from the same seed and start, by a literal loop of a"
        " few lines and by the verb with the preset. Both take rates brought to the range of"
        " the network's input, and, where the published rate on the bare gradient does not suit a"
        " network's own scale of scores, times the power of ten in the column *rate*. Apart: the"
        " largest difference of the two score curves, relative to the largest score; the mean"
        " difference of the two images in levels of 255. Weights are random (He) but for the"
        " embedded network, which is also the one behind 64 px with pixels from 0 to 255 and a mean"
        " image.",
        "",
        f"{same} of {len(rows)} rows are the same within 1 %. Of the others the column *why not*"
        " says what rounding alone does: the literal loop again, its start moved by a millionth of"
        " the range.",
        "",
        "![Literal on the left, ours on the right](recipes.jpg)",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row.values()) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def chosen(names: str | None, known: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """The named entries, all where none is named; a name that is none of them is refused."""
    entries = names.split(",") if names else list(known)
    for entry in entries:
        if entry not in known:
            parser.error(f"There is no {entry!r}; there are: {', '.join(known)}.")
    return entries


def options() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=None, help="names with commas; all by default")
    parser.add_argument("--jobs", default=None, help="names with commas; all by default")
    parser.add_argument("--steps", type=int, default=STEPS, help="at most so many")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--sheet", type=Path, default=None)
    return parser


def main() -> None:
    """Run all jobs on all networks; the page and the picture are written at the end."""
    parser = options()
    arguments = parser.parse_args()
    require_peers("recipes")
    rows: list[dict[str, str]] = []
    panels: list[Panel] = []
    with tempfile.TemporaryDirectory() as folder:
        openers = networks(Path(folder))
        names = chosen(arguments.networks, list(openers), parser)
        jobs = chosen(arguments.jobs, list(JOBS), parser)
        is_full = (names, jobs, arguments.steps) == (list(openers), list(JOBS), STEPS)
        for path in (arguments.out, arguments.sheet):
            if path is not None and path.resolve().parent == DOCS and not is_full:
                parser.error(f"{path} holds all networks and jobs; give another place for a part")
        for name in names:
            network = openers[name]()
            for job in jobs:
                row, both = compared(job, network, arguments.steps)
                rows.append(row)
                panels += [
                    Panel(picture.resize((112, 112)), title)
                    for picture, title in zip(both, (job, network.name), strict=True)
                ]
                print(" | ".join(row.values()), flush=True)
    if arguments.out:
        write_measured(arguments.out, markdown(rows, arguments.steps), "benchmarks.recipes")
    if arguments.sheet:
        write_sheet(arguments.sheet, panels, columns=12, quality=86)


if __name__ == "__main__":
    main()
