"""The preset minimal on a network whose smallest change can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import convscope

SIDE = 24


@pytest.fixture
def linear():
    """Two classes on either side of a plane in the space of pixels."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.randn_like(network[1].weight))
    return convscope.load_model(network, size=SIDE, mean=0.0, std=1.0)


def photos(count):
    """Photos of 8 bits whose pixels are far from black and white."""
    values = np.random.default_rng(0).integers(64, 192, (count, SIDE, SIDE, 3))
    return list(values.astype(np.uint8))


def distances(model, images):
    """From the plane, for images n h w 3."""
    weight, bias = (
        parameter.detach().numpy().astype(np.float64) for parameter in model.network[1].parameters()
    )
    flat = np.stack(images).transpose(0, 3, 1, 2).reshape(len(images), -1) / 255
    return np.abs(flat @ (weight[0] - weight[1]) + bias[0] - bias[1]) / np.linalg.norm(
        weight[0] - weight[1]
    )


def test_the_change_is_hardly_larger_than_the_distance_from_the_plane(linear):
    images = photos(4)
    result = convscope.fool(linear, images, preset="minimal")
    for row, least in zip(result.table, distances(linear, images), strict=True):
        assert row["fooled"]
        # Levels of 8 bits cannot lie on the plane.
        assert least <= row["l2"] < 1.15 * least + 0.02


def test_each_photo_has_the_change_that_it_has_alone(linear):
    images = photos(3)
    together = convscope.fool(linear, images, preset="minimal", steps=30)
    for place, image in enumerate(images):
        alone = convscope.fool(linear, image, preset="minimal", steps=30)
        assert alone.table[0]["l2"] == pytest.approx(together.table[place]["l2"], rel=1e-3)


def test_a_photo_that_is_the_target_already_is_left_alone(linear):
    images = photos(2)
    says = convscope.predict(linear, images[0], top=1).table[0]["index"]
    result = convscope.fool(linear, images[0], target=int(says), preset="minimal")
    assert result.table[0]["steps"] == 0
    assert np.array_equal(result["image"], result["original"])


def test_too_few_steps_are_said(linear):
    with torch.no_grad():
        linear.network[1].bias += torch.tensor([1e4, 0.0])
    row = convscope.fool(linear, photos(1)[0], preset="minimal", steps=2).table[0]
    assert not row["fooled"]
    assert "Not fooled in 2 steps" in row["note"]
