"""SIGKILL at moments spread over a run, then resumed, and two processes at once: the same bytes,
nothing lost or twice."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from convscope import atlas
from tests.small_atlas import make, state

MOMENTS = (0.2, 0.3, 0.4, 0.5)
"""Shares of a whole run's time; the same at every run of the test."""


@pytest.fixture(scope="module")
def children():
    """A server that has loaded torch once, so that a child costs a fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "tests.small_atlas",
            "convscope.atlas.examples",
            "convscope.atlas.build",
            "torch",
            "datasets",
        ]
    )
    return context


def start(children, out, photos):
    """A child at the beginning of its work."""
    ready = children.Event()
    child = children.Process(target=make, args=(str(out), str(photos), ready))
    child.start()
    assert ready.wait(60)
    return child


def test_killed_at_moments_spread_over_a_run(children, photos, tmp_path):
    def run(name, after=None):
        """Seconds, or None where it was killed before its end."""
        child = start(children, tmp_path / name, photos)
        started = time.perf_counter()
        child.join(after)
        if child.exitcode is None:
            child.kill()
            child.join()
            return None
        assert child.exitcode == 0
        return time.perf_counter() - started

    whole = run("whole")
    expected = state(tmp_path / "whole")
    assert len(expected) == 10 + 2 + 1
    interrupted = [run("killed", share * whole) is None for share in MOMENTS]
    # Each try begins with what the one before it left, so that late ones may come to their end.
    assert interrupted[0]
    run("killed")

    assert state(tmp_path / "killed") == expected
    assert atlas.verify(str(tmp_path / "killed")).ok


@pytest.mark.slow
def test_two_processes_at_once_leave_one_whole_atlas(children, photos, tmp_path):
    start(children, tmp_path / "alone", photos).join()
    both = [start(children, tmp_path / "both", photos) for _ in range(2)]
    for child in both:
        child.join(120)
    assert [child.exitcode for child in both] == [0, 0]
    assert state(tmp_path / "both") == state(tmp_path / "alone")
    assert atlas.verify(str(tmp_path / "both")).ok
