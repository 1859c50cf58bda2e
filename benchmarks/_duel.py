"""Contestants timed in turns, A B C A B C, in one process: a ratio of two of them does not depend
on how busy the machine was."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

Run = Callable[[], "float | None"]
"""One contestant. It gives the seconds that count, where they are not all of the call's."""


@dataclass(frozen=True)
class Patience:
    """How often to run: at least `rounds` rounds, more for as long as they fit into `seconds`, at
    most `most`; a contestant whose first run takes more than `long` seconds is not run again."""

    rounds: int = 3
    most: int = 25
    seconds: float = 1.5
    long: float = 20.0


@dataclass
class Duel:
    """Seconds of each contestant, one number a round; `once` are those too slow for a second
    run."""

    times: dict[str, list[float]]
    once: set[str] = field(default_factory=set)

    def seconds(self, name: str) -> float:
        """The median."""
        return statistics.median(self.times[name])

    def ratio(self, slower: str, faster: str) -> tuple[float, float, float]:
        """Median, lower and upper quartile of the rounds' ratios; against a contestant that ran
        once, of that run's."""
        above, below = self.times[slower], self.times[faster]
        if len(above) == 1 or len(below) == 1:
            above, below = (
                each * (max(len(above), len(below)) if len(each) == 1 else 1)
                for each in (above, below)
            )
        entries = sorted(a / b for a, b in zip(above, below, strict=True))
        if len(entries) == 1:
            return entries[0], entries[0], entries[0]
        low, _, high = statistics.quantiles(entries, n=4, method="inclusive")
        return statistics.median(entries), low, high


def timed(run: Run, device: torch.device | str = "cpu") -> float:
    """Seconds of one call, by CUDA events where it runs on a GPU; what peers print is swallowed."""
    quiet = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(quiet),
        contextlib.redirect_stdout(quiet),
    ):
        warnings.simplefilter("ignore")
        if torch.device(device).type != "cuda":
            began = time.perf_counter()
            reported = run()
            return reported if reported is not None else time.perf_counter() - began
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        first.record()
        reported = run()
        last.record()
        torch.cuda.synchronize()
        return reported if reported is not None else first.elapsed_time(last) / 1000


def duel(
    contestants: dict[str, Run], patience: Patience, device: torch.device | str = "cpu"
) -> Duel:
    """All contestants in turns, after one run each that does not count (but for those that are too
    slow to run twice)."""
    first = {name: timed(run, device) for name, run in contestants.items()}
    entries = Duel(
        {name: [] for name in contestants},
        {name for name, seconds in first.items() if seconds > patience.long},
    )
    for name in entries.once:
        entries.times[name].append(first[name])
    again = [name for name in contestants if name not in entries.once]
    began = time.perf_counter()
    done = 0
    while again and (
        done < patience.rounds
        or (done < patience.most and time.perf_counter() - began < patience.seconds)
    ):
        for name in again:
            entries.times[name].append(timed(contestants[name], device))
        done += 1
    return entries


@dataclass
class Row:
    """One line of the table. `ours`, `peer_seconds` and `limit` are seconds per `unit`; `ratio` is
    how many times longer the peer takes and `over_limit` how many times longer ours takes than the
    bare cost (each median, lower and upper quartile). `wanted` is the least ratio and `allowed` the
    most over the limit; `missing` says why there is no number; `curve` is seconds by how many, and
    `straight` the share of its variance that a line explains (R squared), of which `wanted` is then
    the least; `first` is the first call's seconds, of which `first_allowed` is the most.
    `interval` says what the two outer numbers of a ratio are where they are no quartiles of the
    rounds, and `setup` with what the row was measured.
    """

    group: str
    job: str
    network: str
    peer: str
    unit: str = "call"
    ours: float | None = None
    peer_seconds: float | None = None
    limit: float | None = None
    ratio: tuple[float, float, float] | None = None
    over_limit: tuple[float, float, float] | None = None
    wanted: float | None = None
    allowed: float | None = None
    rounds: int = 0
    note: str = ""
    missing: str = ""
    curve: list[tuple[int, float]] = field(default_factory=list)
    straight: float | None = None
    first: float | None = None
    first_allowed: float | None = None
    interval: str = ""
    setup: str = ""

    @property
    def held(self) -> bool | None:
        """Whether it reaches what was wanted; None where nothing was."""
        if self.missing or (self.wanted is None and self.allowed is None):
            return None
        if self.straight is not None:
            return self.wanted is None or self.straight >= self.wanted
        return (
            (self.wanted is None or (self.ratio is not None and self.ratio[0] >= self.wanted))
            and (
                self.allowed is None
                or (self.over_limit is not None and self.over_limit[0] <= self.allowed)
            )
            and (
                self.first is None or self.first_allowed is None or self.first <= self.first_allowed
            )
        )


def rows(
    timing: Duel,
    *,
    group: str,
    job: str,
    network: str,
    unit: str = "call",
    ours: str = "ours",
    limit: str | None = None,
    wanted: dict[str, float] | float | None = None,
    allowed: float | None = None,
    note: str = "",
    absent: dict[str, str] | None = None,
) -> list[Row]:
    """A row for each peer in a duel; one without a peer where there is none. `absent` names peers
    that cannot run, and why: each has a row that says so."""
    over = timing.ratio(ours, limit) if limit else None
    entries = []
    peers = [
        name for name in timing.times if name != ours and not name.startswith(("ours", "limit"))
    ]
    absent = {peer: why for peer, why in (absent or {}).items() if why}
    for peer in [*peers, *absent] or [""]:
        aim = wanted.get(peer) if isinstance(wanted, dict) else wanted
        remarks = [note] if note else []
        remarks += [f"{name} ran once" for name in (ours, peer) if name in timing.once]
        row = Row(
            group,
            job,
            network,
            peer,
            unit,
            timing.seconds(ours),
            wanted=aim,
            allowed=allowed,
            note="; ".join(remarks),
        )
        row.rounds = len(timing.times[ours])
        row.limit, row.over_limit = (timing.seconds(limit) if limit else None), over
        if peer in absent:
            row.missing = absent[peer]
        elif peer:
            row.peer_seconds, row.ratio = timing.seconds(peer), timing.ratio(peer, ours)
        entries.append(row)
    return entries


@dataclass(frozen=True)
class Setting:
    """What all jobs share."""

    device: str
    quick: bool
    patience: Patience
    slow: bool = False
