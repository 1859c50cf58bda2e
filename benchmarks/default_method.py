"""What `explain` does where no method is named: which method finds the class asked about.

    python -m benchmarks.default_method FOLDER

Grid pointing (40 pictures of 2 x 2 photos) over three networks, over two draws of the labeled
photos of FOLDER and over the sample photos, whose class is each network's own answer. Writes
docs/default_method.json and, from it, the table of docs/attribution.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import convscope
from benchmarks._page import DOCS, between, write_data
from convscope.core.files import write_whole
from convscope.photos.samples import sample

NETWORKS = {
    "Lite0": "embedded",
    "Lite1": "embedded:efficientnet_lite1",
    "Lite2": "embedded:efficientnet_lite2",
}
SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")
SEEDS = (0, 7)
GRIDS = 40

DEFAULT = "finer_cam, rivals=10"
"""What `explain` does where no method is named."""
BEST = "multi_scale of finer_cam, rivals=10"
CANDIDATES: dict[str, dict[str, Any]] = {
    "grad_cam": {"methods": "grad_cam"},
    "guided_grad_cam": {"methods": "guided_grad_cam"},
    **{
        f"finer_cam, rivals={rivals}": {"methods": "finer_cam", "rivals": rivals}
        for rivals in (3, 5, 10, 20, 50)
    },
    BEST: {
        "methods": "multi_scale",
        "base": "finer_cam",
        "rivals": 10,
    },
}

BEGIN, END = "<!-- default method -->", "<!-- end of default method -->"
"""Where the page holds the table."""


def folders(photos: Path, scratch: Path) -> Iterator[tuple[str, Path, int, bool]]:
    """What is tiled: a title, a folder, a seed, and whether its photos have masks."""
    for seed in SEEDS:
        yield f"photos, draw {seed}", photos, seed, True
    for name in SAMPLES:
        Image.fromarray(sample(f"sample:{name}")).save(scratch / f"{name}.png")
    yield "samples", scratch, SEEDS[0], False


def measured(photos: Path) -> dict[str, dict[str, float]]:
    """Candidate -> network and tiles -> grid pointing."""
    table: dict[str, dict[str, float]] = {name: {} for name in CANDIDATES}
    with tempfile.TemporaryDirectory() as scratch:
        for title, folder, seed, has_masks in folders(photos, Path(scratch)):
            for network, spec in NETWORKS.items():
                model = convscope.load_model(spec)
                for name, options in CANDIDATES.items():
                    result = convscope.benchmark_attribution(
                        model,
                        str(folder),
                        metric="grid_pointing",
                        grids=GRIDS,
                        seed=seed,
                        alpha_masks=has_masks,
                        **options,
                    )
                    value = result.table[0]["grid_pointing"]
                    table[name][f"{network}, {title}"] = value
                    print(f"{network}, {title}, {name}: {value:.3f}", flush=True)
    return table


def data_of(table: dict[str, dict[str, float]]) -> dict[str, Any]:
    """What docs/default_method.json holds: every share, and its mean over the labeled photos."""
    rows = {}
    for name, cells in table.items():
        on_photos = [value for column, value in cells.items() if "photos" in column]
        rows[name] = {
            "mean over photos": round(float(np.mean(on_photos)), 4),
            "cells": {column: round(value, 4) for column, value in cells.items()},
        }
    return {"pictures": GRIDS, "rows": rows}


def markdown(data: dict[str, Any]) -> str:
    """The table of the page, the means over the photos first, and what was wanted."""
    rows: dict[str, dict[str, Any]] = data["rows"]
    columns = list(rows[DEFAULT]["cells"])
    lines = [
        "| method | mean over photos | " + " | ".join(columns) + " |",
        "|---|" + "---|" * (len(columns) + 1),
    ]
    for name, row in rows.items():
        cells = " | ".join(f"{row['cells'][column]:.2f}" for column in columns)
        lines.append(f"| {name} | {row['mean over photos']:.3f} | {cells} |")
    lines += ["", f"{data['pictures']} pictures in each column.", ""]
    lines += ["| what | measured | wanted | met |", "|---|---|---|---|"]
    for name, title, least in ((DEFAULT, "the default", 0.85), (BEST, "the best", 0.92)):
        row = rows[name]
        on_samples = np.mean([row["cells"][name] for name in columns if "samples" in name])
        for where, value in (("labeled", row["mean over photos"]), ("sample", on_samples)):
            answer = "yes" if value >= least else "no"
            lines.append(f"| {title}, {where} photos | {value:.2f} | {least:g} | {answer} |")
    return "\n".join(lines) + "\n"


def filled(page: str, data: dict[str, Any]) -> str:
    """docs/attribution.md with its table of methods over three networks."""
    return between(page, BEGIN, END, markdown(data))


def main() -> None:
    """Measure, and write the data and the table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path)
    data = data_of(measured(options.parse_args().folder))
    write_data("default_method", data)
    page = DOCS / "attribution.md"
    write_whole(page, filled(page.read_text(), data).encode())


if __name__ == "__main__":
    main()
