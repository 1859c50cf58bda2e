"""Inversions of coarse layers are smoothed more, unless the caller says how."""

from __future__ import annotations

from typing import Any

import pytest

from convscope.networks.preprocessing import Preprocessing
from convscope.synthesis.settings import Settings


def weights(stride: float, **overrides: Any) -> list[tuple[str, float]]:
    settings = Settings("inversion", "invert", Preprocessing(size=(64, 64)), **overrides)
    penalties = settings.at_stride(stride).config.regularizers
    return [(penalty.name, penalty.weight) for penalty in penalties]


@pytest.mark.parametrize(("stride", "factor"), [(2, 1), (8, 1), (16, 2), (32, 4), (224, 4)])
def test_the_weight_grows_with_the_stride(stride, factor):
    ((name, weight),) = weights(stride)
    assert name == "total_variation"
    assert weight == pytest.approx(0.005 * factor)


def test_what_the_caller_gives_is_taken_as_it_is():
    assert weights(32, regularizers="2*l1") == [("l1", 2.0)]
    assert weights(32, l2=0.5)[-1] == ("sum_of_squares", 0.5)


def test_other_presets_weigh_every_layer_alike():
    settings = Settings("cs231n", "invert", Preprocessing(size=(64, 64)))
    assert settings.at_stride(32) is settings
