"""`make bench`: run every benchmark that writes the documentation, or the one that is named.

make bench                                 everything, then the pages: some hours on two cores
make bench BENCH=speed                     the timed rows alone, a quarter of an hour when quiet
make bench BENCH="fooling_quality PHOTOS"  one of them, with its own options
python -m benchmarks --quick               everything, with fewer rows, steps and pairs

The photos (with labels.csv and masks in their alpha channel) are those of ../shared/photos, or of
the folder that CONVSCOPE_PHOTOS names; without it what needs them is left out, and says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
PHOTOS = Path(os.environ.get("CONVSCOPE_PHOTOS", FOLDER.parent.parent / "shared" / "photos"))


def plan(*, quick: bool) -> list[list[str]]:
    """What a whole run is made of."""
    photos = str(PHOTOS)
    needs_photos = quick_with_photos(photos) if quick else with_photos(photos)
    rest = [] if quick else WITHOUT_PHOTOS
    speed = ["speed", *(["--quick", "--out", "docs"] if quick else [])]
    return [speed, *(needs_photos if PHOTOS.is_dir() else []), *rest, ["pages"]]


# Lucent's pictures take the longest; they are kept from one run to the next.
CACHE = ["--cache", "build/lucent"]
QUALITY = ["synthesis_quality", *CACHE, "--sheet", "docs/side_by_side.jpg"]
OF_PADAM = ["synthesis_quality", *CACHE, "--preset", "padam", "--out", "docs/quality_padam.json"]

WITHOUT_PHOTOS = [
    ["same_score", *CACHE, "--out", "docs/same_score.json", "--sheet", "docs/same_score.jpg"],
    ["networks", "--write"],
    ["recipes", "--out", "docs/recipes.md", "--sheet", "docs/recipes.jpg"],
    ["regularizers", "--out", "docs/regularizers.md", "--sheet", "docs/regularizers.jpg"],
    ["live_load"],
    ["audit"],
    ["audit", "--others"],
    ["audit_rate", "rate"],
    ["audit_rate", "memory"],
]
"""What needs no photos but the sample photos."""


def with_photos(photos: str) -> list[list[str]]:
    """What is measured on labeled photos."""
    return [
        ["fooling_quality", photos, "--pairs", "40", "--peer-pairs", "20"],
        ["attribution_quality", photos, "--grids", "40", "--fast"],
        ["default_method", photos, "--page", "docs/attribution.md"],
        [*QUALITY, "--photos", photos],
        [*OF_PADAM, "--sheet", "docs/padam.jpg", "--photos", photos],
        ["questions", photos, "--write"],
        ["concepts", photos],
        ["unit_cards", photos],
    ]


def quick_with_photos(photos: str) -> list[list[str]]:
    """The same with fewer rows, and without what has no smaller form."""
    return [
        ["fooling_quality", photos, "--pairs", "20", "--peer-pairs", "20"],
        ["attribution_quality", photos, "--grids", "20", "--fast"],
        ["default_method", photos, "--page", "docs/attribution.md"],
        [*QUALITY, "--photos", photos, "--most", "12"],
    ]


def run(command: list[str]) -> int:
    """Run one benchmark; its exit code."""
    print(f"== {' '.join(command)}", flush=True)
    began = time.perf_counter()
    code = subprocess.call([sys.executable, "-m", f"benchmarks.{command[0]}", *command[1:]])
    print(f"== {command[0]}: {(time.perf_counter() - began) / 60:.1f} minutes", flush=True)
    return code


def main() -> int:
    """Run the script, or all of them; the exit code."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    arguments = sys.argv[1:]
    os.chdir(FOLDER.parent)
    if arguments and not arguments[0].startswith("-"):
        if arguments[0] not in known:
            print(
                f"There is no benchmark {arguments[0]!r}; there is: {', '.join(known)}.",
                file=sys.stderr,
            )
            return 2
        return run(arguments)
    if set(arguments) - {"--quick"}:
        print(
            f"{' '.join(arguments)} is no option of the whole run, which takes --quick alone; name"
            " a benchmark first.",
            file=sys.stderr,
        )
        return 2
    if not PHOTOS.is_dir():
        print(f"There is no folder {PHOTOS}: what is measured on its photos is left out.")
    codes = [run(command) for command in plan(quick="--quick" in arguments)]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
