"""What a terminal sees: progress bars and tables."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from convscope.core.progress import Reporter, report_to
from convscope.core.types import Options
from convscope.errors import printable
from convscope.results.details import TableDetails
from convscope.results.provenance import Row
from convscope.results.result import Result

SHARES = ("zeros", "inactive", "blank", "before", "share")
"""Columns of shares, beside probabilities."""


@contextmanager
def progress(quiet: bool, *, lines: float | None = None) -> Iterator[None]:
    """Bars on the error stream while long work runs. Where nobody watches there is none, but with
    `lines` a line every so many seconds."""
    if quiet or (not sys.stderr.isatty() and lines is None):
        yield
        return
    if not sys.stderr.isatty():
        with report_to(_logged(lines or 0.0)):
            yield
        return
    named = TextColumn("{task.description}", markup=False)
    columns = (
        named,
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: Options = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)
            if done >= total:
                bars.remove_task(tasks.pop(what))

        with report_to(report):
            yield


class _Rate(ProgressColumn):
    """How many a second, where that is not plain from the other columns."""

    def render(self, task: Task) -> Text:
        return Text("" if not task.speed else f"{task.speed:.2f}/s")


def _logged(every: float) -> Reporter:
    """A reporter for logs: of the outermost work a line at its beginning, then every so many
    seconds, and at its end."""
    started: dict[str, tuple[float, int]] = {}
    said: dict[str, float] = {}

    def report(what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what not in started:
            if any(name != what for name in started):
                return
            started[what] = (now, done)
            said[what] = now
        elif now - said[what] < every and done < total:
            return
        since, first = started[what]
        rate = (done - first) / (now - since) if now > since else 0.0
        left = f", {(total - done) / rate / 60:.1f} min left" if rate and done < total else ""
        print(
            f"{what}: {done} of {total}" + (f", {rate:.2f} per second{left}" if rate else ""),
            file=sys.stderr,
            flush=True,
        )
        said[what] = now
        if done >= total:
            del started[what]

    return report


def rows(table_rows: list[Options]) -> None:
    """Rows as a table."""
    table(Result("", TableDetails(), table=table_rows))


def table(result: Result, photos: Sequence[str] = ()) -> None:
    """The rows of a result, its photos by their names; rows of other columns in another table."""
    if not result.table:
        return
    title = result.details.title if isinstance(result.details, TableDetails) else None
    # Rows of other columns (the layers after the classes, say) stand in a table of their own.
    for columns, group in groupby(result.table, key=tuple):
        drawn = Table(title=None if title is None else Text(printable(title)), title_justify="left")
        named = [_with_photo_name(row, photos) for row in group]
        for name in columns:
            value = named[0][name]
            is_number = isinstance(value, (int, float)) and name != "photo"
            drawn.add_column(
                Text(printable(name)), justify="right" if is_number else "left", overflow="fold"
            )
        for row in named:
            drawn.add_row(*(Text(printable(_cell(name, value))) for name, value in row.items()))
        _console().print(drawn)


def _with_photo_name(row: Row, photos: Sequence[str]) -> Row:
    """The row with the name of its photo in place of the number."""
    number = row.get("photo")
    if isinstance(number, int) and number < len(photos):
        return row | {"photo": photos[number]}
    return row


def lines(answer: Sequence[str], *, as_json: bool) -> None:
    """A list of names, one a line."""
    if as_json:
        print(json.dumps(answer))
        return
    for name in answer:
        print(printable(name))


def _console() -> Console:
    """Standard output; where it is no terminal, wide enough that no name is cut."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def _cell(name: str, value: object) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, float):
        return f"{value:.1%}" if name.endswith("probability") or name in SHARES else f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if name in ("parameters", "units") else str(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
