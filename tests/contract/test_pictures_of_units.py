"""A unit's picture depends on its seed, and on nothing beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import convscope
from convscope.synthesis.objective import objective
from tests.contract.optimized import trunk

UNITS = ["second:1", "third:4", "0.5*second:2 - third:0"]


def pictures(units, **options):
    return convscope.visualize(trunk(), units, steps=8, size=24, **options)["image"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"preset": "quick"},
        {"preset": "chollet"},
        {"preset": "lucid"},
        {"preset": "simonyan"},
        {"transforms": "crop(2,0.5,0.9) noise(0.02) blur(0.5)"},
    ],
    ids=str,
)
def test_a_units_picture_does_not_depend_on_batch_or_order(options):
    together = torch.from_numpy(pictures(UNITS, **options))
    turned = torch.from_numpy(pictures(UNITS[::-1], **options))
    torch.testing.assert_close(turned.flip(0), together, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        torch.from_numpy(pictures(UNITS[1], **options)), together[1:2], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        torch.from_numpy(pictures(UNITS, batch=2, **options)), together, atol=1e-4, rtol=0
    )


def test_with_two_threads_only_rounding_depends_on_the_batch(embedded):
    """Rounding grows from step to step; the random numbers are the same."""
    options: dict[str, Any] = {"steps": 8, "size": 64}
    units = ["blocks.2:11", "blocks.1:5", "blocks.2:3"]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        together = convscope.visualize(embedded, units, **options)
        alone = convscope.visualize(embedded, units[0], **options)
        other = convscope.visualize(embedded, units[0], seed=1, **options)
    finally:
        torch.set_num_threads(threads)
    assert np.allclose(alone["score"][0], together["score"][0], rtol=0.01)
    assert not np.allclose(other["score"][0], together["score"][0], rtol=0.01)
    assert np.abs(alone["image"][0] - together["image"][0]).max() < 0.05


def test_long_directions_that_begin_alike_are_told_apart():
    """Each has its own random numbers, whichever comes first."""
    first, second = (
        objective("direction", layer="third", vector=(0.123456789,) * 10 + (last, 1.0))
        for last in (0.5, -0.5)
    )
    assert str(first) != str(second)
    assert len(first.title) < 80
    torch.testing.assert_close(
        torch.from_numpy(pictures([second, first])).flip(0),
        torch.from_numpy(pictures([first, second])),
        atol=1e-4,
        rtol=0,
    )


def test_same_seed_same_bytes_other_seed_other_picture():
    assert pictures(UNITS).tobytes() == pictures(UNITS).tobytes()
    assert pictures(UNITS, seed=1).tobytes() != pictures(UNITS).tobytes()


def test_faces_of_one_unit_start_apart():
    faces = pictures("third:4", diversity=3)
    assert len({face.tobytes() for face in faces}) == 3


def test_picture_with_opacity():
    """A fourth channel, climbed on backgrounds that the network sees through it."""
    result = convscope.visualize(
        trunk(), "second:1", preset="transparent", transforms="composite", steps=30, size=24
    )
    assert result["image"].shape == (1, 4, 24, 24)
    assert result["score"][0, -8:].mean() > result["score"][0, :8].mean()
    assert len(result["transparency"].shape) == 3
