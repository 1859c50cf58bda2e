"""A small network that has learnt something, one channel, its own size: what it says is checked,
not only that it runs."""

from __future__ import annotations

import numpy as np
import pytest

import convscope
from tests.digits_network import digits, trained


@pytest.fixture(scope="module")
def model():
    network, _ = trained()
    return convscope.load_model(
        network, size=8, labels=[str(digit) for digit in range(10)], name="digits"
    )


def test_it_reads_digits(model):
    images, classes = digits()
    assert trained()[1] > 0.95
    result = convscope.predict(model, images[:100], top=1)
    assert (
        np.mean(
            [
                row["label"] == str(int(digit))
                for row, digit in zip(result.table, classes[:100], strict=True)
            ]
        )
        > 0.95
    )


def test_the_heat_lies_on_the_ink(model):
    images, classes = digits()
    heat = np.abs(
        convscope.explain(
            model, images[:20], method="integrated_gradients", target=classes[:20].tolist()
        )["heatmap"]
    )
    ink = images[:20, 0].numpy() > 0.2
    assert heat[ink].mean() > 2 * heat[~ink].mean()


def test_a_digit_made_from_nothing_is_read_as_that_digit(model):
    result = convscope.class_image(model, ["3", "7"], steps=60, rate=1.0)
    assert result["image"].shape[1:] == (1, 8, 8)
    assert (result["score"][:, -1] > result["score"][:, 0]).all()
    assert [row["label"] for row in convscope.predict(model, result["image"], top=1).table] == [
        "3",
        "7",
    ]
