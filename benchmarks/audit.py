"""What an audit reports of flaws that were planted in the photos of a classifier.

    python -m benchmarks.audit

The classifier is a linear head on the embedded network. The cases (see
`benchmarks/planted_photos.py`): a tag in the corner of one class, a class that only its background
tells, five swapped labels in a hundred, and clean photos. Each head is trained on photos with the
flaw; its audit is of others. Rates and memory: `python -m benchmarks.audit_rate`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import convscope
from benchmarks.planted_heads import SIDE, Heads
from benchmarks.planted_photos import CLASSES, PLACED, Flaw, PlantedPhoto, photos, write
from convscope.core.files import write_whole
from convscope.core.types import JsonObject
from convscope.networks.model import Model
from convscope.results.details import AuditDetails
from convscope.results.result import Result

DATA = Path(__file__).parent.parent / "docs" / "audit.json"

TRAINING, AUDITED, SWAPPED = 600, 240, 100
TAG_SHARE = 0.4
"""Of the audited photos of the class with the tag; in training all of them have it."""

WORST = 10
"""Mistakes among which the swapped labels should be."""

MENDED_WITH = (31, 32, 33, 34, 43)
"""Seeds of heads that places were mended with, after they had shown what was wrong."""

OTHER_HEADS = (*MENDED_WITH, 41, 42, 44, 45, 46, 47, 48)

CASES: tuple[tuple[str, Flaw], ...] = (
    ("clean", "none"),
    ("swapped labels", "none"),
    ("tag", "tag"),
    ("background", "background"),
)


@dataclass(frozen=True)
class Case:
    """What an audit said of one case: its findings by kind; of the tag, the purity and recall of
    the first odd group; of swapped labels, how many are among the ten worst mistakes."""

    name: str
    photos: int
    accuracy: float
    labels: list[str]
    reasons: list[str]
    backgrounds: list[str]
    purity: float | None = None
    recall: float | None = None
    among_worst: int | None = None

    def line(self) -> str:
        """A row of the table."""
        measured = "no alarm is right"
        if self.purity is not None and self.recall is not None:
            measured = f"first odd group: purity {self.purity:.2f}, recall {self.recall:.2f}"
        elif self.among_worst is not None:
            measured = f"{self.among_worst} of 5 among the {WORST} worst mistakes"
        elif self.name == "background":
            measured = f"planted: {CLASSES[PLACED]}"
        cells = [self.name, str(self.photos), f"{self.accuracy:.0%}"]
        cells += [", ".join(kind) or "none" for kind in (self.labels, self.reasons)]
        cells += [", ".join(self.backgrounds) or "none", measured]
        return "| " + " | ".join(cells) + " |"


def audited(
    model: Model, planted: list[PlantedPhoto], labels: list[int], folder: Path
) -> tuple[Result, list[str]]:
    """The audit of photos written to a folder, and the photos' names in order."""
    write(folder, planted, labels)
    names = [f"{CLASSES[label]}/{number:04d}.png" for number, label in enumerate(labels)]
    result = convscope.audit(
        model,
        str(folder / "photos"),
        out=str(folder / "audit.html"),
        masks=str(folder / "masks"),
        unit_steps=0,
    )
    return result, names


def of_kind(result: Result, kind: str) -> list[str]:
    """The subjects of the findings of one kind, in order."""
    findings = result.details_as(AuditDetails).findings
    return [finding.subject for finding in findings if finding.kind == kind]


def measured(name: str, flaw: Flaw, model: Model, seed: int) -> Case:
    """One case, audited."""
    share = TAG_SHARE if flaw == "tag" else 1.0
    number = SWAPPED if name == "swapped labels" else AUDITED
    planted = photos(number, flaw=flaw, share=share, side=SIDE, seed=seed + 2)
    labels = [photo.label for photo in planted]
    swapped: list[int] = []
    if name == "swapped labels":
        generator = np.random.default_rng(seed)
        swapped = generator.choice(number, 5, replace=False).tolist()
        for place in swapped:
            labels[place] = (labels[place] + int(generator.integers(1, 6))) % len(CLASSES)
    with tempfile.TemporaryDirectory() as scratch:
        result, names = audited(model, planted, labels, Path(scratch))
        worst = worst_mistakes(Path(scratch) / "audit" / "photos.parquet")
    purity = recall = None
    if name == "tag":
        tagged = {names[at] for at, photo in enumerate(planted) if photo.is_planted}
        purity, recall = purity_and_recall(result, tagged)
    return Case(
        name,
        number,
        float(result["accuracy"][0]),
        of_kind(result, "label"),
        of_kind(result, "reason"),
        of_kind(result, "background"),
        purity,
        recall,
        sum(names[at] in worst for at in swapped) if swapped else None,
    )


def worst_mistakes(table: Path) -> set[str]:
    """The photos whose label gets the least probability, from the table beside the page."""
    from pyarrow.parquet import read_table

    wrong = [row for row in read_table(table).to_pylist() if row["correct"] is False]
    wrong.sort(key=lambda row: row["label_probability"])
    return {row["photo"] for row in wrong[:WORST]}


def purity_and_recall(result: Result, tagged: set[str]) -> tuple[float, float]:
    """Of the first odd group, in the photos that carry the tag."""
    reasons = of_kind(result, "reason")
    if not reasons:
        return 0.0, 0.0
    group = {row["photo"] for row in result.table if row["group"] == reasons[0]}
    shared = len(group & tagged)
    return shared / len(group), shared / len(tagged)


def markdown(data: dict[str, Any]) -> str:
    """The section of docs/audit.md."""
    rows = [Case(**case).line() for case in data["planted"]]
    others = [
        f"| {seed} {line}"
        for seed, cases in data.get("other_heads", {}).items()
        for line in (Case(**case).line() for case in cases)
    ]
    if others:
        others = [
            "Other heads, trained and audited on other photos by other seeds"
            " (`python -m benchmarks.audit --others`). Those of the seeds"
            f" {', '.join(map(str, MENDED_WITH))} were used to mend how places are told and tested,"
            " all others were not:",
            "",
            "| seed | case | photos | right | labels | odd reasons | backgrounds | |",
            "|---:|---|---:|---:|---|---|---|---|",
            *others,
            "",
        ]
    return "\n".join(
        [
            "## Planted flaws",
            "",
            f"`python -m benchmarks.audit`: a linear head on the embedded network tells six shapes"
            f" on photographs and noise, trained on {data['training']} photos of {SIDE} pixels with"
            " the flaw; the audit is of others. With the tag, all training photos of a class have"
            f" a label with black bars in a corner, and {TAG_SHARE:.0%} of the audited ones; with"
            " the background, one class stands before stripes, whatever its shape is.",
            "",
            "| case | photos | right | labels | odd reasons | backgrounds | |",
            "|---|---:|---:|---|---|---|---|",
            *rows,
            "",
            *others,
        ]
    )


def main() -> None:
    """Audit every case and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--training", type=int, default=TRAINING)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--others",
        type=int,
        nargs="*",
        help=f"only the tag and clean photos, with these seeds; by default {OTHER_HEADS}",
    )
    arguments = parser.parse_args()
    heads, cases = Heads(), []
    if arguments.others is not None:
        seeds = arguments.others or list(OTHER_HEADS)
        measure_other_heads(heads, arguments.training, seeds)
        return
    networks: dict[Flaw, Model] = {}
    for name, flaw in CASES:
        if flaw not in networks:
            training = photos(arguments.training, flaw=flaw, side=SIDE, seed=arguments.seed + 1)
            networks[flaw] = heads.train(training, arguments.seed)
        cases.append(measured(name, flaw, networks[flaw], arguments.seed))
        print(cases[-1].line(), flush=True)
    keep({"training": arguments.training, "planted": [asdict(case) for case in cases]})


def measure_other_heads(heads: Heads, training: int, seeds: list[int]) -> None:
    """The tag and the clean control with heads and photos of other seeds, kept seed by seed beside
    those that are there."""
    for seed in seeds:
        cases: list[JsonObject] = []
        for name, flaw in (CASES[2], CASES[0]):
            planted = photos(training, flaw=flaw, side=SIDE, seed=seed + 1)
            case = measured(name, flaw, heads.train(planted, seed), seed)
            print(seed, case.line(), flush=True)
            cases.append(asdict(case))
        keep({"other_heads": stored().get("other_heads", {}) | {str(seed): cases}})


def stored() -> dict[str, Any]:
    """The numbers in docs/audit.json."""
    return json.loads(DATA.read_text()) if DATA.is_file() else {}


def keep(numbers: dict[str, object]) -> None:
    """Add numbers to those in docs/audit.json."""
    known = stored()
    write_whole(DATA, json.dumps(known | numbers, indent=1).encode() + b"\n")


if __name__ == "__main__":
    main()
