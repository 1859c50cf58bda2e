"""Each cell holds the pictures of the units that fire there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import LayerError, NumericError
from tests.small_networks import Trunk, assert_unchanged, color_network, snapshot


@pytest.fixture
def colors():
    """Red, green and blue channels; the photo is red on the left and cyan on the right."""
    photo = np.zeros((16, 16, 3), np.float32)
    photo[:, :8, 0] = 1
    photo[:, 8:, 1], photo[:, 8:, 2] = 0.5, 0.8
    return convscope.load_model(color_network(torch.eye(3)), size=16), photo


def test_the_units_of_each_place(colors):
    model, photo = colors
    result = convscope.semantic_dictionary(
        model, photo, layer="0", cells=2, top=2, size=16, steps=64
    )
    np.testing.assert_array_equal(result["unit"][0, :, 0, 0], [0, -1])
    np.testing.assert_array_equal(result["unit"][0, :, 1, 1], [2, 1])
    np.testing.assert_allclose(result["activation"][0, :, 0, 1], [0.8, 0.5], rtol=1e-5)
    assert result["pattern"].shape == (3, 3, 16, 16)
    image = result["image"][0]
    # Two pictures side by side, two pixels to the next cell.
    assert image.shape == (3, 2 * 16 + 2, 4 * 16 + 2)
    np.testing.assert_array_equal(image[:, :16, :16], result["pattern"][0])
    assert (image[:, :16, 16:32] == 0.5).all()
    np.testing.assert_array_equal(image[:, 18:, 34:50], result["pattern"][2])
    np.testing.assert_array_equal(image[:, 18:, 50:], result["pattern"][1])
    assert result.table[0] == {
        "photo": 0,
        "row": 0,
        "column": 0,
        "rank": 1,
        "unit": 0,
        "activation": pytest.approx(1.0),
    }
    assert len(result.table) == 2 * (1 + 2)


def test_leaves_no_trace_and_repeats():
    torch.manual_seed(0)
    model = convscope.load_model(Trunk(), size=32)
    photo = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    before = snapshot(model.network)
    options = {"layer": "third", "cells": 2, "size": 16, "steps": 3}
    first = convscope.semantic_dictionary(model, [photo, photo[::-1].copy()], **options)
    assert_unchanged(before, model.network)
    assert first["unit"].shape == (2, 4, 2, 2)
    again = convscope.semantic_dictionary(model, [photo, photo[::-1].copy()], **options)
    np.testing.assert_array_equal(first["image"], again["image"])
    assert first.picture().size[0] > 32


def test_errors(colors):
    model, photo = colors
    with pytest.raises(NumericError, match="No unit of '0' fires"):
        convscope.semantic_dictionary(model, np.zeros_like(photo), layer="0", steps=2)
    trunk = convscope.load_model(Trunk(), size=32)
    with pytest.raises(LayerError, match="places"):
        convscope.semantic_dictionary(trunk, np.zeros((32, 32, 3)), layer="head", steps=2)
