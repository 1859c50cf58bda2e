"""A grid's cells are the pictures of the directions that the activations have there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import LayerError, OptionError
from tests.small_networks import Trunk, assert_unchanged, color_network, snapshot


@pytest.fixture
def colors():
    """Two channels, red and blue; the photo is red on the left and blue on the right."""
    photo = np.zeros((16, 16, 3), np.float32)
    photo[:, :8, 0], photo[:, 8:, 2] = 1, 0.5
    return convscope.load_model(
        color_network(torch.tensor([[1.0, -1, -1], [-1, -1, 1]])), size=16
    ), photo


def test_red_on_the_left_and_blue_on_the_right(colors):
    model, photo = colors
    result = convscope.activation_grid(model, photo, layer="0", cells=2, size=16, steps=64)
    image, norm = result["image"][0], result["norm"][0]
    assert image.shape == (3, 32, 32)
    np.testing.assert_allclose(norm, [[2**0.5, 0.5 * 2**0.5]] * 2, rtol=1e-5)
    red, _, blue = image[:, 4:28, 4:12].mean((1, 2))
    assert red > blue + 0.04
    red, _, blue = image[:, 8:24, 22:26].mean((1, 2))
    assert blue > red + 0.04
    # The right cells' activations are half as long: 0.65 of the size, gray around them.
    assert (image[:, :2, 16:] == 0.5).all()
    assert not (image[:, :2, :16] == 0.5).all()
    whole = convscope.activation_grid(
        model, photo, layer="0", cells=2, size=16, steps=4, scaled=False
    )
    assert not (whole["image"][0, :, :2, 16:] == 0.5).all()


def test_leaves_no_trace_and_repeats():
    torch.manual_seed(0)
    model = convscope.load_model(Trunk(), size=32)
    photo = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    before = snapshot(model.network)
    options = {"layer": "third", "cells": 2, "size": 16, "steps": 3}
    first = convscope.activation_grid(model, [photo, photo[::-1].copy()], **options)
    assert_unchanged(before, model.network)
    assert first["image"].shape == (2, 3, 32, 32)
    assert first["norm"].shape == (2, 2, 2)
    again = convscope.activation_grid(model, [photo, photo[::-1].copy()], **options)
    np.testing.assert_array_equal(first["image"], again["image"])
    assert first.picture().size[0] > 32


def test_errors():
    model = convscope.load_model(Trunk(), size=32)
    photo = np.zeros((32, 32, 3), np.float32)
    with pytest.raises(LayerError, match="places"):
        convscope.activation_grid(model, photo, layer="head", steps=2)
    with pytest.raises(OptionError, match="cells"):
        convscope.activation_grid(model, photo, cells=0)
