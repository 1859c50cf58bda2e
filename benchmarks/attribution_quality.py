"""Which attribution method finds what the network looks at: the table and the picture of
docs/attribution.md.

    python -m benchmarks.attribution_quality FOLDER [--out docs] [--grids 40]

FOLDER holds labeled photos whose alpha channel is the object's mask (see
`convscope.benchmark_attribution`). Takes about half an hour on 2 cores with the defaults, most of
it in RISE, Score-CAM and the sampling methods; with `--parts` a run that was stopped goes on where
it was.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import convscope
from benchmarks._page import between
from convscope.attribution import registry
from convscope.core.files import write_whole
from convscope.results.details import MeasurementsDetails

METRICS = "grid_pointing,insertion,deletion,pointing,energy"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
"""Where the page holds the table."""

SPECIAL = {
    "smoothgrad of grad_cam_plus_plus": {"methods": "smoothgrad", "base": "grad_cam_plus_plus"}
}
"""Wrappers around other methods than their default."""

VARIANTS: dict[str, dict[str, Any]] = {
    "finer_cam, rivals=10": {"methods": "finer_cam", "rivals": 10},
    "multi_scale of finer_cam, rivals=10": {
        "methods": "multi_scale",
        "base": "finer_cam",
        "rivals": 10,
    },
}
"""Methods with other options than the published ones, where they do better."""

FEWER = {
    "rise": {"masks": 150},
    "score_cam": {"most": 150},
    "kernel_shap": {"samples": 80},
    "lime": {"samples": 80},
}
FEWER |= {
    "shapley_sampling": {"samples": 1},
    "integrated_gradients": {"steps": 16},
    "occlusion": {"window": 32, "stride": 24},
}
FEWER |= {name: {"samples": 10} for name in ("smoothgrad", "squaregrad", "vargrad", *SPECIAL)}
"""Cheaper than the defaults; the page says so."""

SLOW = (
    "smoothgrad",
    "squaregrad",
    "vargrad",
    *SPECIAL,
    "integrated_gradients",
    "feature_ablation",
    "occlusion",
)
SLOW += ("kernel_shap", "lime", "shapley_sampling", "rise", "score_cam")
"""Run last."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--out", default="docs")
    parser.add_argument("--grids", type=int, default=40)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parts", default=None, help="a folder for the finished methods")
    parser.add_argument(
        "--fast",
        action="store_true",
        help="leave out what runs the network often (their earlier rows stay), and the picture",
    )
    parser.add_argument(
        "--only", action="append", help="measure this row alone; the others stay as they are"
    )
    parser.add_argument(
        "--finished", action="store_true", help="run nothing: only what is in --parts"
    )
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    model = convscope.load_model()
    common = {"metric": METRICS, "grids": arguments.grids, "alpha_masks": True, "points": 10}
    names = [
        name
        for name in registry
        if registry.traits(name).needs is None and name not in ("cam", "lrp")
    ]
    result = None
    for title in sorted(
        [*names, *SPECIAL, *VARIANTS],
        key=lambda name: (SLOW.index(name) if name in SLOW else -1, name),
    ):
        if arguments.only and title not in arguments.only:
            continue
        options: dict[str, Any] = (SPECIAL | VARIANTS).get(title, {"methods": title})
        options = {**options, **FEWER.get(title, {})}
        part = Path(arguments.parts) / f"{title}.npz" if arguments.parts else None
        if part is not None and part.is_file():
            measurement = convscope.Result.load(part)
        elif arguments.finished or (arguments.fast and title in SLOW):
            continue
        else:
            measurement = convscope.benchmark_attribution(
                model, arguments.folder, **common, **options
            )
            measurement.table[0]["method"] = title
            details = replace(measurement.details_as(MeasurementsDetails), methods=[title])
            measurement = replace(measurement, details=details)
            if part is not None:
                measurement.save(part)
        row = measurement.table[0]
        said = "".join(
            f"{name} {row[name]:.3f} ± {row[name + '_sd']:.3f}   " for name in METRICS.split(",")
        )
        print(f"{title:34s}{said}{row['seconds']}", flush=True)
        result = measurement if result is None else merged(result, measurement)
    assert result is not None
    out = Path(arguments.out)
    is_part = arguments.fast or arguments.only
    if is_part:
        measured = {row["method"] for row in result.table}
        result.table.extend(
            row for row in rows_of(out / "attribution.csv") if row["method"] not in measured
        )
    result.table.sort(key=lambda row: -row["grid_pointing"])
    if not is_part:
        result.save(out / "attribution.png")
    result.save(out / "attribution.csv")
    page = out / "attribution.md"
    if page.is_file():
        write_whole(page, filled(page.read_text(), result.table).encode())


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows that an earlier run left, numbers as numbers."""
    with path.open() as file:
        return [
            {key: value if key == "method" else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def filled(page: str, table: list[dict[str, Any]]) -> str:
    """The page with the table between its marks."""
    return between(page, BEGIN, END, text(table))


def merged(first: convscope.Result, second: convscope.Result) -> convscope.Result:
    """The rows of both."""
    arrays = {name: np.concatenate([first[name], second[name]]) for name in first}
    details, more = (result.details_as(MeasurementsDetails) for result in (first, second))
    details = replace(details, methods=details.methods + more.methods)
    return replace(first, arrays=arrays, table=first.table + second.table, details=details)


def text(table: list[dict[str, Any]]) -> str:
    """The table in Markdown: mean ± standard deviation."""
    names = METRICS.split(",")
    lines = [
        "| method | " + " | ".join(name.replace("_", " ") for name in names) + " | seconds |",
        "|---|" + "---|" * (len(names) + 1),
    ]
    for row in table:
        cells = [f"{row[name]:.3f} ± {row[name + '_sd']:.3f}" for name in names]
        lines.append(f"| {row['method']} | " + " | ".join(cells) + f" | {row['seconds']:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
