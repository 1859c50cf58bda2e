"""What a terminal sees: progress bars and tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from convscope.progress import report_to
from convscope.result import Result


@contextmanager
def progress(quiet: bool) -> Iterator[None]:
    """Bars on the error stream while long work runs; none where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)
            if done >= total:
                bars.remove_task(tasks.pop(what))

        with report_to(report):
            yield


def table(result: Result) -> None:
    """The rows of a result, and its totals."""
    if not result.table:
        return
    drawn = Table(title=result.details.get("title"), title_justify="left")
    for name, value in result.table[0].items():
        drawn.add_column(name, justify="right" if isinstance(value, (int, float)) else "left", overflow="fold")
    for row in result.table:
        drawn.add_row(*(_cell(name, value) for name, value in row.items()))
    _console().print(drawn)


def lines(answer: Any, *, as_json: bool) -> None:
    """A list of names, one a line."""
    if as_json:
        print(json.dumps(answer))
        return
    for name in answer:
        print(name)


def _console() -> Console:
    """Standard output; where it is no terminal, wide enough that no name is cut."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def _cell(name: str, value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:.1%}" if name in ("probability", "zeros", "inactive", "blank") else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if name in ("parameters", "units") else str(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
