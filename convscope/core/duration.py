"""How long the running verb will take, from its first steps: said or refused before the others are
made.

Every loop of the core reports its progress (`core/progress.py`). Loops stand in each other (photos,
methods, masks), so the time of the innermost one is multiplied by the counts of those around it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from convscope.core.quantities import format_duration
from convscope.errors import OptionError

ANNOUNCED = 300.0
"""Seconds from which on it is said how long a call will take."""

MAX_HOURS = 24.0
"""A call that would take longer is refused."""

HOURS_VARIABLE = "CONVSCOPE_MAX_HOURS"
"""The environment variable that sets another bound."""

TRIAL_STEPS = 4
"""Steps of the innermost loop before its time is believed; the first ones are slower."""

TRIAL_SECONDS = 30.0
"""Or the seconds, where a single step takes long."""

logger = logging.getLogger("convscope")


@dataclass
class _Loop:
    key: object
    what: str
    total: int
    started: float
    done: int = 0


class Estimate:
    """The time of one call of a verb, estimated once."""

    def __init__(self, verb: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.verb = verb
        self.clock = clock
        self.seconds: float | None = None
        """The estimate, once there is one."""
        self._loops: list[_Loop] = []

    def advance(self, what: str, done: int, total: int, key: object) -> None:
        """A loop, known by its key, has done so much.

        Raises:
            OptionError: the call would take longer than the bound.
        """
        if self.seconds is not None:
            return
        places = [place for place, loop in enumerate(self._loops) if loop.key == key]
        if places and done > 0:
            del self._loops[places[0] + 1 :]
        else:
            del self._loops[places[0] if places else len(self._loops) :]
            self._loops.append(_Loop(key, what, total, self.clock()))
        loop = self._loops[-1]
        loop.done, loop.total = done, total
        elapsed = self.clock() - loop.started
        if done >= total:
            # Of a loop in another one, or of the last one of a call: there is nothing to estimate.
            self._loops.pop()
        elif done >= TRIAL_STEPS or (done > 0 and elapsed >= TRIAL_SECONDS):
            self.seconds = self._total(elapsed / done * total)
            self._judge(loop)

    def _total(self, seconds: float) -> float:
        """The time of the whole call, where the innermost loop takes so long."""
        now = self.clock()
        for loop in reversed(self._loops[:-1]):
            seconds = (
                (now - loop.started + seconds) / (loop.done + 1) * loop.total
                if loop.done
                else seconds * loop.total
            )
        return seconds

    def _judge(self, loop: _Loop) -> None:
        seconds, most = self.seconds or 0.0, max_hours() * 3600
        outer = [loop for loop in reversed(self._loops[:-1]) if loop.total > 1]
        work = f"{loop.total:,} steps of {loop.what}" + "".join(
            f", for each of {loop.total:,} {loop.what}" for loop in outer
        )
        if seconds > most:
            raise OptionError(
                f"{self.verb} would take about {format_duration(seconds)} here ({work}), and more"
                f" than {format_duration(most)} are refused; ask for less, or set {HOURS_VARIABLE}"
                " to as many hours as you allow."
            )
        announcer = _announcer.get()
        if seconds > ANNOUNCED and announcer is not None:
            announcer(seconds)
        elif seconds > ANNOUNCED:
            logger.warning(
                "%s takes about %s here (%s); Ctrl-C ends it.",
                self.verb,
                format_duration(seconds),
                work,
            )


def max_hours() -> float:
    """The bound in hours.

    Raises:
        OptionError: the environment variable is no number above 0.
    """
    text = os.environ.get(HOURS_VARIABLE)
    if text is None:
        return MAX_HOURS
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not hours > 0:
        raise OptionError(f"{HOURS_VARIABLE} must be a number of hours above 0; it is {text!r}.")
    return hours


Announcer = Callable[[float], None]
"""Called with the seconds that the running verb will take, where they are many."""

_announcer: ContextVar[Announcer | None] = ContextVar("convscope_announcer", default=None)


@contextmanager
def announce_to(announcer: Announcer) -> Iterator[None]:
    """Say to `announcer`, and not in the log, how long a verb inside the block will take."""
    token = _announcer.set(announcer)
    try:
        yield
    finally:
        _announcer.reset(token)


_estimate: ContextVar[Estimate | None] = ContextVar("convscope_estimate", default=None)


@contextmanager
def estimated(verb: str) -> Iterator[None]:
    """Estimate the time of a verb's call; what is called inside belongs to it."""
    if _estimate.get() is not None:
        yield
        return
    token = _estimate.set(Estimate(verb))
    try:
        yield
    finally:
        _estimate.reset(token)


def progressed(what: str, done: int, total: int, key: object = None) -> None:
    """A loop of the running verb has done so much; loops of one name that may stand in each other
    have a key of their own."""
    estimate = _estimate.get()
    if estimate is not None:
        estimate.advance(what, done, total, what if key is None else key)
