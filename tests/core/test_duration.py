"""How long a call takes: estimated from its first steps, said where it is long, refused where it is
too long."""

from __future__ import annotations

import logging

import pytest

from convscope.core import duration
from convscope.core.duration import Estimate, estimated
from convscope.core.progress import track
from convscope.errors import OptionError


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(estimate: Estimate, clock: Clock, what: str, total: int, seconds: float, first: int = 0):
    """A loop of `total` steps of so many seconds each, as far as `first` + 1 of them."""
    for done in range(total):
        estimate.advance(what, done, total, what)
        clock.now += seconds
        if estimate.seconds is not None:
            return
    estimate.advance(what, total, total, what)


def test_one_loop():
    clock = Clock()
    estimate = Estimate("explain", clock)
    run(estimate, clock, "masks", 50, 0.5)
    assert estimate.seconds == pytest.approx(25)


def test_a_loop_in_a_loop_is_multiplied():
    clock = Clock()
    estimate = Estimate("explain", clock)
    estimate.advance("photos", 0, 3, "photos")
    run(estimate, clock, "masks", 50, 0.5)
    assert estimate.seconds == pytest.approx(75)


def test_what_is_done_of_the_outer_loop_counts():
    """Two photos took a second each without inner loops; the third has one of 16 seconds."""
    clock = Clock()
    estimate = Estimate("explain", clock)
    for done in range(2):
        estimate.advance("photos", done, 9, "photos")
        clock.now += 1
    estimate.advance("photos", 2, 9, "photos")
    run(estimate, clock, "masks", 32, 0.5)
    # 2 s before, 2 s so far in this loop, and 16 s for all of it: 20 s for three of nine photos.
    assert estimate.seconds == pytest.approx(60)


def test_a_loop_that_ended_early_does_not_count_as_an_outer_one():
    clock = Clock()
    estimate = Estimate("invert", clock)
    estimate.advance("layers", 0, 2, "layers")
    estimate.advance("invert first", 0, 1000, "invert first")
    estimate.advance("layers", 1, 2, "layers")
    clock.now = 0.0
    run(estimate, clock, "invert second", 100, 1)
    assert estimate.seconds is not None
    assert estimate.seconds < 300


def test_short_work_is_not_estimated():
    clock = Clock()
    estimate = Estimate("predict", clock)
    run(estimate, clock, "photos", 3, 0.1)
    assert estimate.seconds is None


def test_a_single_long_step_is_enough():
    clock = Clock()
    estimate = Estimate("visualize", clock)
    estimate.advance("visualize", 0, 100, "visualize")
    clock.now = 40
    estimate.advance("visualize", 1, 100, "visualize")
    assert estimate.seconds == pytest.approx(4000)


def test_long_work_is_said(caplog):
    clock = Clock()
    estimate = Estimate("explain", clock)
    with caplog.at_level(logging.WARNING, logger="convscope"):
        run(estimate, clock, "RISE", 4000, 1.0)
    assert caplog.messages == [
        "explain takes about 67 min here (4,000 steps of RISE); Ctrl-C ends it."
    ]


def test_too_long_work_is_refused():
    clock = Clock()
    estimate = Estimate("explain", clock)
    estimate.advance("photos", 0, 10, "photos")
    with pytest.raises(OptionError) as raised:
        run(estimate, clock, "RISE", 1_000_000, 1.0)
    assert str(raised.value) == (
        "explain would take about 116 days here (1,000,000 steps of RISE, for each of 10"
        " photos), and more than 24.0 h are refused; ask for less, or set CONVSCOPE_MAX_HOURS to as"
        " many hours as you allow."
    )


@pytest.mark.parametrize("text", ["", "many", "0", "-3", "nan"])
def test_the_bound_is_a_number_of_hours(monkeypatch, text):
    monkeypatch.setenv(duration.HOURS_VARIABLE, text)
    with pytest.raises(OptionError, match="CONVSCOPE_MAX_HOURS must be a number of hours above 0"):
        duration.max_hours()


def test_a_verb_within_a_verb_belongs_to_it(monkeypatch):
    monkeypatch.setenv(duration.HOURS_VARIABLE, "1e-9")
    refused = pytest.raises(OptionError, match="report would take")
    with estimated("report"), estimated("explain"), refused:
        list(track(range(100), "masks", 100))
    list(track(range(100), "masks", 100))
