"""One stream of random numbers per image."""

from __future__ import annotations

import torch

from convscope.synthesis.random import RandomStreams


def test_a_stream_is_made_by_seed_and_key_alone():
    together, alone = RandomStreams.of(1, ["a", "b"]), RandomStreams.of(1, ["b"])
    assert torch.equal(together.normal(3, 4)[1:], alone.normal(3, 4))
    assert torch.equal(together.integers(0, 9, 5)[1:], alone.integers(0, 9, 5))
    assert not torch.equal(
        RandomStreams.of(2, ["b"]).normal(6), RandomStreams.of(1, ["b"]).normal(6)
    )
    assert not torch.equal(
        RandomStreams.of(1, ["a"]).normal(6), RandomStreams.of(1, ["b"]).normal(6)
    )


def test_equal_names_get_different_streams_in_order():
    assert RandomStreams.keys(["x", "y", "x"]) == ["x 0", "y 0", "x 1"]


def test_uniform_numbers_lie_between_the_bounds_and_integers_include_both():
    streams = RandomStreams.of(0, ["a", "b"])
    drawn = streams.uniform(500, low=-2, high=3)
    assert drawn.shape == (2, 500)
    assert -2 <= float(drawn.min()) < -1.9
    assert 2.9 < float(drawn.max()) < 3
    assert streams.integers(-1, 1, 100).unique().tolist() == [-1, 0, 1]


def test_copies_draw_in_turn_from_their_images_stream():
    spread, plain = RandomStreams.of(0, ["a", "b"]).repeated(3), RandomStreams.of(0, ["a", "b"])
    assert len(spread) == 6
    drawn = spread.normal(4)
    for copy in range(3):
        assert torch.equal(drawn[copy::3], plain.normal(4))
