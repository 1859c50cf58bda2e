"""Speed against every peer, and against the bare cost that nobody can avoid.

    python -m benchmarks.speed               all rows, about a quarter of an hour on two cores
    python -m benchmarks.speed --quick       about three minutes
    python -m benchmarks.speed --slow        with Score-CAM and Ablation-CAM, 20 minutes more
    python -m benchmarks.speed --rows cam    the rows whose group, job, network or peer holds the
                                             word (or fits the pattern); with --out they take
                                             their place among those that are there

Every row of ours is a public call. Contestants take turns in one process (A B A B), at least three
rounds after a warm-up (one that takes over 20 s a call runs once), with the same network, photo,
steps, size and threads; of an optimization at least three steps count, after one that does not. A
ratio is the median of the rounds' ratios, with its quartiles. On a GPU where there is one: CUDA
events, a synchronized clock, batches of 64.

Writes docs/speed.json, docs/speed.png and docs/speed.md; `--out FOLDER` writes them elsewhere.
Peers that are not installed leave a row that says so; `make bench` installs them.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks._duel import Patience, Row, Setting
from benchmarks.readme import filled
from convscope.core.files import write_whole

DOCS = Path(__file__).parent.parent / "docs"
GROUPS = (
    "startup",
    "overhead",
    "ascent",
    "cam",
    "gradients",
    "fooling",
    "maco",
    "growth",
    "memory",
)
PEERS = ("torch-lucent", "kornia", "grad-cam", "torchcam", "captum", "foolbox", "horama")
FULL, QUICK = Patience(), Patience(rounds=3, most=3, seconds=0.0, long=6.0)


def wanted(row: Row, pattern: str | None) -> bool:
    """Whether a row's words hold the pattern."""
    words = f"{row.group} {row.job} {row.network} {row.peer}"
    return pattern is None or pattern in words or fnmatch(words, pattern)


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    if row.missing:
        return row.group, row.job, row.network, row.peer, "", "", "", "", row.missing
    held = {True: "yes", False: "no", None: ""}[row.held]
    aims = [f">= {row.wanted:g}"] if row.wanted is not None else []
    if row.straight is not None:
        aims = [f"R squared {row.straight:.4f}, >= {row.wanted:g}"]
    aims += [f"<= {row.allowed:g} x limit"] if row.allowed is not None else []
    amount = (
        (lambda value: "" if value is None else f"{value:.0f} MiB")
        if row.group == "memory"
        else seconds
    )
    return (
        row.group,
        row.job,
        row.network,
        row.peer,
        amount(row.ours),
        amount(row.peer_seconds),
        spread(row.ratio),
        spread(row.over_limit),
        f"{' and '.join(aims)}: {held}" if held else "",
    )


def seconds(value: float | None) -> str:
    """A time with three digits."""
    if value is None:
        return ""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def spread(value: tuple[float, float, float] | None) -> str:
    """A ratio with its quartiles."""
    return "" if value is None else f"{value[0]:.2f} ({value[1]:.2f} to {value[2]:.2f})"


HEAD = (
    "group",
    "job",
    "network",
    "peer",
    "ours",
    "peer's",
    "ratio (quartiles)",
    "ours / limit",
    "wanted: held",
)


def show(rows: list[Row]) -> None:
    """The table on the terminal."""
    shown = Table(*HEAD, title="Speed: ratio above 1 means that ours is faster")
    for row in rows:
        shown.add_row(*cells(row), style={True: "green", False: "red", None: ""}[row.held])
    Console(width=None if sys.stdout.isatty() else 200).print(shown)


def markdown(rows: list[Row], about: dict[str, Any]) -> str:
    """The page of the documentation."""
    peers = ", ".join(f"{name} {number}" for name, number in about["peers"].items())
    compared = [row for row in rows if row.group != "overhead"]
    lines = [
        "# Speed",
        "",
        about["how"],
        "",
        f"Measured with torch {about['torch']} on {about['device']}, {about['threads']} thread(s), "
        f"against {peers}. "
        "Made by `make bench`; the times are this machine's, the ratios travel better. "
        "The limit is the bare cost: for a feature visualization one run of the prepared network "
        "to the layer and back to its input, for a CAM one run of the prepared network "
        "(batch norms "
        "folded into convolutions, no gradients). Rows that fall short stay.",
        "",
        "![Bars](speed.png)",
        "",
        *table(HEAD, [cells(row) for row in compared]),
        "",
        *(
            f"- {row.job} {row.network}: {row.note}."
            for row in compared
            if row.straight is not None or "thread" in row.note
        ),
    ]
    overhead = [row for row in rows if row.group == "overhead"]
    if overhead:
        lines += [
            "",
            "## What a verb takes beside the runs it must make",
            "",
            "The second public call with a PIL photo over the bare cost: the runs of the network "
            "that the verb makes, on tensors that are ready; of the network itself for predict, "
            "activations and saliency, whose numbers are its own, and of the prepared copy for "
            "the others. Checks, preprocessing, looking for changes in the weights, provenance "
            "and hashes are inside. Wanted: 1.05 of it and 3 ms; the first call on a network "
            "that nothing is known of at most 1.5 s above it.",
            "",
            *table(OVERHEAD_HEAD, [overhead_cells(row) for row in overhead]),
        ]
    return "\n".join(lines).rstrip() + "\n"


OVERHEAD_HEAD = (
    "verb",
    "network",
    "bare cost",
    "second call",
    "over bare (quartiles)",
    "first call",
    "held",
)


def overhead_cells(row: Row) -> tuple[str, ...]:
    """A row of the table of overheads as text."""
    held = {True: "yes", False: "no", None: ""}[row.held]
    return (
        row.job,
        row.network,
        seconds(row.limit),
        seconds(row.ours),
        spread(row.over_limit),
        seconds(row.first),
        held,
    )


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in body),
    ]


def picture(rows: list[Row]) -> bytes:
    """Bars of the ratios to the peers, and the curves of growth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    bars = [row for row in rows if row.ratio and row.peer and not row.missing]
    curves = [row for row in rows if row.curve]
    figure, axes = pyplot.subplots(
        1,
        2 if curves else 1,
        figsize=(15 if curves else 10, max(4.0, 0.24 * len(bars) + 1.5)),
        squeeze=False,
    )
    chart = axes[0][0]
    for place, row in enumerate(bars):
        assert row.ratio is not None
        middle, low, high = row.ratio
        color = {True: "#2a7f62", False: "#b5483a", None: "#8a93a3"}[row.held]
        chart.barh(
            place,
            middle,
            xerr=[[max(0, middle - low)], [max(0, high - middle)]],
            color=color,
            error_kw={"lw": 0.8},
        )
        if row.wanted:
            chart.plot([row.wanted] * 2, [place - 0.4, place + 0.4], color="black", lw=1.2)
        chart.text(max(high, middle) * 1.04, place, f"{middle:.1f}", va="center", fontsize=7)
    chart.set_yticks(
        range(len(bars)), [f"{row.job}, {row.network} vs {row.peer}" for row in bars], fontsize=7
    )
    chart.margins(y=0.01)
    chart.invert_yaxis()
    chart.set_xscale("log")
    chart.axvline(1, color="black", lw=0.6)
    chart.set_xlabel("times faster than the peer (quartiles; a black mark is what was wanted)")
    for row in curves:
        counts, seconds_of = zip(*row.curve, strict=True)
        axes[0][1].plot(
            counts,
            [value / seconds_of[0] for value in seconds_of],
            "o-",
            label=row.job.removeprefix("a line in "),
        )
    if curves:
        axes[0][1].set_xlabel("how many")
        axes[0][1].set_ylabel("seconds, as a multiple of the first point's")
        axes[0][1].legend()
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    pyplot.close(figure)
    return buffer.getvalue()


def versions() -> dict[str, str]:
    """The peers' versions."""
    table = {}
    for name in PEERS:
        try:
            table[name] = version(name)
        except PackageNotFoundError:
            continue
    return table


def earlier(folder: Path) -> list[Row]:
    """The rows that a run before has left there."""
    path = folder / "speed.json"
    if not path.exists():
        return []
    values = json.loads(path.read_text())["rows"]
    return [
        Row(**{key: _tuples(value) for key, value in row.items() if key != "held"})
        for row in values
    ]


def _tuples(value: Any) -> Any:
    """JSON's lists of numbers as the ratios are kept."""
    return (
        tuple(value)
        if isinstance(value, list) and value and not isinstance(value[0], list)
        else value
    )


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """The old rows with the new ones in their places, new ones behind the last of their group."""
    names = {(row.group, row.job, row.network, row.peer): row for row in new}
    kept = [names.pop((row.group, row.job, row.network, row.peer), row) for row in old]
    return sorted([*kept, *names.values()], key=lambda row: GROUPS.index(row.group))


def save(folder: Path, rows: list[Row], about: dict[str, Any]) -> None:
    """The three files, written whole, after every group."""
    data = {**about, "rows": [{**asdict(row), "held": row.held} for row in rows]}
    write_whole(folder / "speed.json", json.dumps(data, indent=1).encode())
    write_whole(folder / "speed.md", markdown(rows, about).encode())
    write_whole(folder / "speed.png", picture(rows))
    if folder.resolve() == DOCS.resolve():
        readme = folder.parent / "README.md"
        write_whole(readme, filled(readme.read_text()).encode())


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--quick", action="store_true", help="fewer networks and layers, smaller batches"
    )
    options.add_argument(
        "--slow",
        action="store_true",
        help="also Score-CAM and Ablation-CAM, where the peers take minutes",
    )
    options.add_argument(
        "--rows",
        help=(
            "only rows that hold this word or fit this pattern; a group's name saves the most time"
        ),
    )
    options.add_argument("--out", type=Path, help="folder of the three files; docs/ for a full run")
    options.add_argument(
        "--threads", type=int, help="threads of torch, the same for all; by default all"
    )
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = options.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    setting = Setting(
        arguments.device, arguments.quick, QUICK if arguments.quick else FULL, arguments.slow
    )
    name = (
        torch.cuda.get_device_name()
        if arguments.device == "cuda"
        else f"{platform.machine()} processor"
    )
    about = {
        "torch": torch.__version__,
        "device": name,
        "threads": torch.get_num_threads(),
        "quick": arguments.quick,
        "how": (__doc__ or "").split("\n\n")[2].strip(),
        "peers": versions(),
    }
    groups = [group for group in GROUPS if arguments.rows and arguments.rows in group] or list(
        GROUPS
    )
    folder = arguments.out or (DOCS if not arguments.quick and not arguments.rows else None)
    began = time.perf_counter()
    rows: list[Row] = []
    before = earlier(folder) if arguments.rows and folder else []
    for group in groups:
        minutes = (time.perf_counter() - began) / 60
        print(f"{group}, after {minutes:.1f} minutes", flush=True)
        for row in import_module(f"benchmarks.speed_rows.{group}").run(setting):
            if wanted(row, arguments.rows):
                rows.append(row)
                print("  ".join(cell for cell in cells(row) if cell), flush=True)
        if folder is not None:
            save(
                folder,
                merged(before, rows),
                about | {"minutes": round((time.perf_counter() - began) / 60, 1)},
            )
    show(rows)
    print(
        f"{sum(row.held is True for row in rows)} held, {sum(row.held is False for row in rows)}"
        f" missed; {(time.perf_counter() - began) / 60:.1f} minutes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
