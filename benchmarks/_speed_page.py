"""The rows of the speed benchmark as text: the table on the terminal, and docs/speed.md."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks._duel import Row

HOW = """\
Every row of ours is a public call. Contestants take turns in one process (A B A B), at least three
rounds after a warm-up (one that takes over 20 s a call runs once), with the same network, photo,
steps, size and threads; of an optimization at least three steps count, after one that does not. A
ratio is the median of the rounds' ratios, with its quartiles; a geometric mean over layers has the
range over the layers instead. On a GPU where there is one: CUDA events, a synchronized clock,
batches of 64."""

HEAD = (
    "group",
    "job",
    "network",
    "peer",
    "ours",
    "peer's",
    "limit",
    "ratio (quartiles)",
    "ours / limit",
    "wanted: held",
)

LIMITS = {
    "ascent": "one run of the prepared network to the layer and back to its input, on as many"
    " images as ours optimizes at once, each as large as the transforms make it",
    "cam": "one run of the prepared network (batch norms folded into convolutions, no gradients)"
    " on tensors that are ready, of the same batch",
}
"""What the limit of a whole group is; that of a single row stands in its note."""

OVERHEAD_HEAD = (
    "verb",
    "network",
    "bare cost",
    "second call",
    "over bare (quartiles)",
    "first call",
    "held",
)
ANSWERS = {True: "yes", False: "no", None: ""}


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    names = row.group, row.job, row.network, row.peer
    if row.missing:
        return *names, "", "", "", "", "", row.missing
    aims = [f">= {row.wanted:g}"] if row.wanted is not None else []
    if row.straight is not None:
        aims = [f"R squared {row.straight:.4f}, >= {row.wanted:g}"]
    aims += [f"<= {row.allowed:g} x limit"] if row.allowed is not None else []
    answer = ANSWERS[row.held]
    return (
        *names,
        amount(row, row.ours),
        amount(row, row.peer_seconds),
        amount(row, row.limit),
        ratio(row, row.ratio),
        ratio(row, row.over_limit),
        f"{' and '.join(aims)}: {answer}" if answer else "",
    )


def amount(row: Row, value: float | None) -> str:
    """A time with three digits, or memory."""
    if value is None:
        return ""
    return f"{value:.0f} MiB" if row.group == "memory" else seconds(value)


def seconds(value: float | None) -> str:
    """A time with three digits."""
    if value is None:
        return ""
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def ratio(row: Row, value: tuple[float, float, float] | None) -> str:
    """A ratio with its quartiles, or with the range that the row has in their place."""
    if value is None:
        return ""
    over = f"{row.interval} " if row.interval else ""
    return f"{value[0]:.2f} ({over}{value[1]:.2f} to {value[2]:.2f})"


def show(rows: list[Row]) -> None:
    """The table on the terminal."""
    shown = Table(*HEAD, title="Speed: ratio above 1 means that ours is faster")
    for row in rows:
        shown.add_row(*cells(row), style={True: "green", False: "red", None: ""}[row.held])
    Console(width=None if sys.stdout.isatty() else 200).print(shown)


def markdown(rows: list[Row]) -> str:
    """The page of the documentation."""
    compared = [row for row in rows if row.group != "overhead"]
    lines = [
        "# Speed",
        "",
        HOW,
        "",
        measured_with(rows),
        "",
        "![Bars](speed.png)",
        "",
        *table(HEAD, [marked(row, rows, 1) for row in compared]),
        "",
        "The limit is a cost that nobody can avoid, or what a note says:",
        "",
        *(f"- {group}: {limit}." for group, limit in LIMITS.items() if has(compared, group)),
        *notes(compared),
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
            *table(OVERHEAD_HEAD, [marked(row, rows, 0) for row in overhead]),
        ]
    return "\n".join(lines).rstrip() + "\n"


def measured_with(rows: list[Row]) -> str:
    """The setups, and by which mark their rows are told where there are several."""
    setups = setups_of(rows)
    if len(setups) == 1:
        measured = f"Measured with {setups[0]}."
    else:
        marks = "; ".join(f"[{place}] with {setup}" for place, setup in enumerate(setups, 1))
        measured = f"Measured in several setups, whose number stands behind the job: {marks}."
    return (
        f"{measured} Made by `make bench`; the times are this machine's, the ratios travel better."
        " Rows that fall short stay."
    )


def setups_of(rows: list[Row]) -> list[str]:
    """In which setups rows were measured."""
    return list(dict.fromkeys(row.setup for row in rows))


def marked(row: Row, rows: list[Row], job: int) -> list[str]:
    """A row's cells; with the number of its setup in the cell of the job, where there are
    several."""
    texts = list(cells(row) if row.group != "overhead" else overhead_cells(row))
    setups = setups_of(rows)
    if len(setups) > 1:
        texts[job] += f" [{setups.index(row.setup) + 1}]"
    return texts


def has(rows: list[Row], group: str) -> bool:
    """Whether one of the rows is of a group."""
    return any(row.group == group for row in rows)


def notes(rows: list[Row]) -> list[str]:
    """Every note once, behind the rows that it is of, or their group where it is of all of it."""
    jobs: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.note and not row.missing:
            names = jobs.setdefault((row.group, row.note), [])
            name = f"{row.job} {row.network}".strip()
            if name not in names:
                names.append(name)
    measured = [row for row in rows if not row.missing]
    lines = []
    for (group, note), names in jobs.items():
        is_of_all = all(row.note == note for row in measured if row.group == group)
        lines.append(f"- {group if is_of_all else ', '.join(names)}: {note}.")
    return lines


def overhead_cells(row: Row) -> tuple[str, ...]:
    """A row of the table of overheads as text."""
    return (
        row.job,
        row.network,
        seconds(row.limit),
        seconds(row.ours),
        ratio(row, row.over_limit),
        seconds(row.first),
        ANSWERS[row.held],
    )


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in body),
    ]
