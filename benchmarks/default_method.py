"""What `explain` does where no method is named: which method finds the class asked about.

    python -m benchmarks.default_method FOLDER [--page docs/attribution.md]

Grid pointing (40 pictures of 2 x 2 photos) over three networks, over two draws of the labeled
photos of FOLDER and over the sample photos, whose class is each network's own answer.
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
from benchmarks._page import between
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

CANDIDATES: dict[str, dict[str, Any]] = {
    "grad_cam": {"methods": "grad_cam"},
    "guided_grad_cam": {"methods": "guided_grad_cam"},
    **{
        f"finer_cam, rivals={rivals}": {"methods": "finer_cam", "rivals": rivals}
        for rivals in (3, 5, 10, 20, 50)
    },
    "multi_scale of finer_cam, rivals=10": {
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


def markdown(table: dict[str, dict[str, float]]) -> str:
    """The table of the page, the means over the photos first."""
    columns = list(next(iter(table.values())))
    on_photos = [column for column in columns if "photos" in column]
    lines = [
        "| method | mean over photos | " + " | ".join(columns) + " |",
        "|---|" + "---|" * (len(columns) + 1),
    ]
    for name, row in table.items():
        mean = np.mean([row[column] for column in on_photos])
        cells = " | ".join(f"{row[column]:.2f}" for column in columns)
        lines.append(f"| {name} | {mean:.3f} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--page", type=Path)
    arguments = options.parse_args()
    text = markdown(measured(arguments.folder))
    print(text)
    if arguments.page:
        page = between(arguments.page.read_text(), BEGIN, END, text)
        write_whole(arguments.page, page.encode())


if __name__ == "__main__":
    main()
