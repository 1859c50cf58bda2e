"""Speed against every peer, and against the bare cost that nobody can avoid.

    python -m benchmarks.speed               all rows, about a quarter of an hour on two cores
    python -m benchmarks.speed --quick       about three minutes, on the terminal alone
    python -m benchmarks.speed --slow        with Score-CAM and Ablation-CAM, 20 minutes more
    python -m benchmarks.speed --rows cam    the rows whose group, job, network or peer holds the
                                             word (or fits the pattern); with --out they take
                                             their place among those that are there

Writes docs/speed.json, docs/speed.png and docs/speed.md after each group, so that a run that is
stopped keeps the other groups' rows as they were; `--out FOLDER` writes elsewhere, and --quick
never into docs/. Each row keeps what it was measured with. Peers that are not installed leave a row
that says so where there is none with numbers; `make bench` installs them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import torch

from benchmarks._duel import Patience, Row, Setting
from benchmarks._speed_data import GROUPS, merged, setup_of, stored_rows, write_rows
from benchmarks._speed_page import cells, markdown, show
from benchmarks._speed_picture import picture
from benchmarks.readme import filled
from benchmarks.speed_rows.cam import SLOW
from convscope.core.files import write_whole

DOCS = Path(__file__).parent.parent / "docs"
FULL, QUICK = Patience(), Patience(rounds=3, most=3, seconds=0.0, long=6.0)


def is_wanted(row: Row, pattern: str | None) -> bool:
    """Whether a row's words hold the pattern."""
    words = f"{row.group} {row.job} {row.network} {row.peer}"
    return pattern is None or pattern in words or fnmatch(words, pattern)


def groups_of(pattern: str | None, stored: list[Row]) -> list[str]:
    """The groups that have rows of the pattern: by their name, or by the stored rows.

    Raises:
        ValueError: no group has any.
    """
    if pattern is None:
        return list(GROUPS)
    groups = [group for group in GROUPS if pattern in group]
    if not groups:
        measured = {row.group for row in stored if is_wanted(row, pattern)}
        measured |= {"cam" for name in SLOW if pattern in name}
        groups = [group for group in GROUPS if group in measured]
    if not groups:
        # "grad_cam, batch of 8" is named by "grad_cam".
        names = {
            "groups": list(GROUPS),
            "networks": [row.network for row in stored if not row.network.endswith("layers")],
            "peers": [row.peer for row in stored],
            "jobs": [*(row.job for row in stored), *SLOW],
        }
        listed = [f"{kind}: {', '.join(_shortened(entries))}" for kind, entries in names.items()]
        raise ValueError(
            f"No row holds or fits {pattern!r}. Name a word or a pattern of these. "
            + "; ".join(listed)
        )
    return groups


def _shortened(entries: list[str]) -> list[str]:
    """Each once, up to its first comma."""
    return sorted({entry.partition(",")[0] for entry in entries} - {""})


def save(folder: Path, rows: list[Row]) -> None:
    """The three files, each written whole, and of docs/ also the README's table."""
    write_rows(folder, rows)
    write_whole(folder / "speed.md", markdown(rows).encode())
    write_whole(folder / "speed.png", picture(rows))
    if folder.resolve() == DOCS.resolve():
        readme = folder.parent / "README.md"
        write_whole(readme, filled(readme.read_text()).encode())


def measure(group: str, setting: Setting, pattern: str | None) -> Iterator[Row]:
    """The rows of a group, printed as they come."""
    setup = setup_of(setting.device, quick=setting.quick)
    for row in import_module(f"benchmarks.speed_rows.{group}").run(setting):
        if is_wanted(row, pattern):
            row.setup = setup
            print("  ".join(cell for cell in cells(row) if cell), flush=True)
            yield row


def options() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer networks and layers, smaller batches"
    )
    parser.add_argument(
        "--slow",
        action="store_true",
        help="also Score-CAM and Ablation-CAM, where the peers take minutes",
    )
    parser.add_argument(
        "--rows",
        help=(
            "only rows that hold this word or fit this pattern; a group's name saves the most time"
        ),
    )
    parser.add_argument("--out", type=Path, help="folder of the three files; docs/ for a full run")
    parser.add_argument(
        "--threads", type=int, help="threads of torch, the same for all; by default all"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def main() -> int:
    """Measure, write after each group, and print the table; the exit code."""
    parser = options()
    arguments = parser.parse_args()
    is_full = not arguments.quick and not arguments.rows
    folder: Path | None = arguments.out or (DOCS if is_full else None)
    if arguments.quick and folder is not None and folder.resolve() == DOCS.resolve():
        parser.error("--quick measures less and does not write into docs/; give another --out")
    stored = stored_rows(folder) if folder else []
    try:
        groups = groups_of(arguments.rows, stored or stored_rows(DOCS))
    except ValueError as error:
        parser.error(str(error))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    patience = QUICK if arguments.quick else FULL
    setting = Setting(arguments.device, arguments.quick, patience, arguments.slow)
    began = time.perf_counter()
    rows: list[Row] = []
    finished: list[str] = []
    try:
        for group in groups:
            minutes = (time.perf_counter() - began) / 60
            print(f"{group}, after {minutes:.1f} minutes", flush=True)
            rows += list(measure(group, setting, arguments.rows))
            finished.append(group)
            if folder is not None:
                save(folder, merged(stored, rows, () if arguments.rows else finished))
    except KeyboardInterrupt:
        names = ", ".join(finished) or "no group"
        print(f"Stopped; {names} finished, all other rows are as they were.", file=sys.stderr)
        return 130
    show(rows)
    print(
        f"{sum(row.held is True for row in rows)} held, {sum(row.held is False for row in rows)}"
        f" missed; {(time.perf_counter() - began) / 60:.1f} minutes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
