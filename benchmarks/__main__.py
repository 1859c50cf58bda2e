"""Run every benchmark that writes the documentation, or the one that is named.

    python -m benchmarks                          everything, then the pages: some hours
    python -m benchmarks speed                    the timed rows alone: a quarter of an hour
    python -m benchmarks fooling_quality PHOTOS   one of them, with its own options
    python -m benchmarks speed --help             what one of them takes
    python -m benchmarks --quick                  everything, with fewer rows, steps and pairs,
                                                  into build/quick: the documentation stays

`make bench` installs the peers and does the same; `make bench BENCH="speed --rows cam"` runs one.
The photos (with labels.csv and masks in their alpha channel) are those of ../shared/photos, or of
the folder that CONVSCOPE_PHOTOS names; without it what needs them is left out.

A whole run writes the tables of README.md and of all pages in docs/, but for these, whose programs
run for themselves and leave the earlier numbers until then:

    attribution_quality PHOTOS      rows of methods that run the network often, attribution.png
    speed --slow                    rows of speed.md on Score-CAM and Ablation-CAM
    atlas build, examples ...       the last table and the figure of atlas.md
    inversion_quality, figures      pictures of pictures.md with their captions
    questions PHOTOS --pictures     questions.jpg and pictures of the gallery
    gallery, live_pictures          pictures of the gallery and of live.md

`ideas` and `transfer` print tables that no page repeats.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from benchmarks._peers import not_installed

FOLDER = Path(__file__).parent
PHOTOS = Path(os.environ.get("CONVSCOPE_PHOTOS", FOLDER.parent.parent / "shared" / "photos"))
QUICK = Path("build/quick")
RENDERERS = ("pages", "readme")
"""They measure nothing, but write what was measured."""

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def plan(*, quick: bool) -> list[list[str]]:
    """What a whole run is made of."""
    photos = str(PHOTOS)
    if quick:
        labeled = quick_with_photos(photos) if PHOTOS.is_dir() else []
        return [["speed", "--quick", "--out", str(QUICK)], *labeled]
    labeled = with_photos(photos) if PHOTOS.is_dir() else []
    return [["speed"], *labeled, *WITHOUT_PHOTOS, ["pages"]]


# Lucent's pictures take the longest; they are kept from one run to the next.
CACHE = ["--cache", "build/lucent"]
QUALITY = ["synthesis_quality", *CACHE]
OF_PADAM = [*QUALITY, "--preset", "padam", "--out", "docs/quality_padam.json"]

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
        ["default_method", photos],
        ["default_layer", photos],
        [*QUALITY, "--sheet", "docs/side_by_side.jpg", "--photos", photos],
        [*OF_PADAM, "--sheet", "docs/padam.jpg", "--photos", photos],
        ["questions", photos, "--write"],
        ["concepts", photos],
        ["unit_cards", photos],
    ]


def quick_with_photos(photos: str) -> list[list[str]]:
    """The same with fewer rows, and without what has no smaller form."""
    fooling, quality = str(QUICK / "fooling.json"), str(QUICK / "quality.json")
    sheet = ["--sheet", str(QUICK / "side_by_side.jpg")]
    return [
        ["fooling_quality", photos, "--pairs", "20", "--peer-pairs", "20", "--out", fooling],
        ["attribution_quality", photos, "--grids", "20", "--fast", "--out", str(QUICK)],
        [*QUALITY, *sheet, "--photos", photos, "--most", "12", "--out", quality],
    ]


def names() -> list[str]:
    """The benchmarks that can be run."""
    return sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if not path.stem.startswith("_")
        and path.stem not in RENDERERS
        and 'if __name__ == "__main__":' in path.read_text()
    )


def run(command: list[str]) -> int:
    """Run one benchmark; its exit code. After Ctrl-C it is waited for, so that it can end."""
    print(f"== {' '.join(command)}", flush=True)
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "benchmarks._single", *command])
    try:
        code = child.wait()
    except KeyboardInterrupt:
        code = stop(child)
    print(f"== {command[0]}: {(time.perf_counter() - began) / 60:.1f} minutes", flush=True)
    return code


def stop(child: subprocess.Popen[bytes]) -> int:
    """Let a benchmark end that was stopped by Ctrl-C, which reaches it too from a terminal."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(1)
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    return STOPPED


def run_all(*, quick: bool) -> int:
    """Run the whole plan, also past a benchmark that fails; 1 where one did."""
    commands = plan(quick=quick)
    sentences = [line for command in commands for line in not_installed(command[0])]
    if sentences:
        print(*dict.fromkeys(sentences), sep="\n", file=sys.stderr)
        return 2
    if not PHOTOS.is_dir():
        print(f"There is no folder {PHOTOS}: what is measured on its photos is left out.")
    if quick:
        QUICK.mkdir(parents=True, exist_ok=True)
        # The rows of slow methods, which a quick run leaves out, stay in its copy.
        for name in ("attribution.csv", "attribution.md"):
            shutil.copy(Path("docs") / name, QUICK)
    failed = []
    for command in commands:
        code = run(command)
        if code == STOPPED:
            return STOPPED
        if code:
            failed.append(f"{command[0]} ({ended(code)})")
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return int(bool(failed))


def ended(code: int) -> str:
    """How a process ended."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def main() -> int:
    """Run one benchmark, or all of them; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=textwrap.fill(f"Benchmarks: {', '.join(names())}.", 80),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="less of everything, into build/quick")
    parser.add_argument("benchmark", nargs="?", help="the only one to run; all by default")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="what it takes")
    arguments = parser.parse_args()
    os.chdir(FOLDER.parent)
    if arguments.benchmark is None:
        return run_all(quick=arguments.quick)
    if arguments.quick:
        parser.error(f"--quick is of the whole run; see {arguments.benchmark} --help")
    if arguments.benchmark not in [*names(), *RENDERERS]:
        known = ", ".join(names())
        parser.error(f"There is no benchmark {arguments.benchmark!r}; there are: {known}.")
    code = run([arguments.benchmark, *arguments.options])
    if code < 0:
        print(f"{arguments.benchmark}: {ended(code)}.", file=sys.stderr)
    return code if code >= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
