"""SIGKILL at random moments, then resumed: nothing lost, nothing twice, the same bytes."""

from __future__ import annotations

import multiprocessing
import random
import time

import pytest

from convscope import atlas
from tests.small_atlas import make, state


@pytest.fixture(scope="module")
def children():
    """A server that has loaded torch once, so that a child costs a fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["small", "convscope.atlas.examples", "convscope.atlas.build", "torch", "datasets"]
    )
    return context


def test_killed_at_random_moments(children, photos, tmp_path):
    def run(name, after=None):
        """Seconds, or None where it was killed before its end."""
        ready = children.Event()
        child = children.Process(target=make, args=(str(tmp_path / name), str(photos), ready))
        child.start()
        assert ready.wait(60)
        begun = time.perf_counter()
        child.join(after)
        if child.exitcode is None:
            child.kill()
            child.join()
            return None
        assert child.exitcode == 0
        return time.perf_counter() - begun

    whole = run("whole")
    expected = state(tmp_path / "whole")
    assert len(expected) == 10 + 2 + 1
    chance = random.Random(time.time_ns())

    for _ in range(3):
        moment = chance.uniform(0, whole)
        run("killed", moment)
    run("killed")

    assert state(tmp_path / "killed") == expected
    assert atlas.verify(str(tmp_path / "killed")).ok
