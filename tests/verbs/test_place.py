from __future__ import annotations

import numpy as np
import pytest

import convscope
from convscope.errors import ImageError, OptionError
from tests.small_networks import ByHand


def test_solved_by_hand():
    """Score 0 is mean(2 x) + 3 mean(-x): a place of 16 adds 2 x / 16 by unit 0 and -3 x / 16 by
    unit 1."""
    photo = np.zeros((4, 4, 1), np.float32)
    photo[1, 2] = 0.8
    model = convscope.load_model(ByHand(), size=4, mean=0.0, std=1.0)
    result = convscope.place(model, photo, 1, 2, layers="conv", target=0)
    assert np.allclose(result["conv.activation"], [[1.6, -0.8]])
    assert np.allclose(result["conv.contribution"], [[1.6 / 16, -2.4 / 16]])
    lists = {(row["list"], row["index"]): row for row in result.table if row["list"] != "class"}
    assert set(lists) == {("strongest", 0), ("for", 0), ("against", 1)}
    said = {row["index"]: row["contribution"] for row in result.table if row["list"] == "class"}
    assert said == pytest.approx({0: -0.8 / 16, 1: 2.4 / 16})
    dark = convscope.place(model, photo, 0, 0, layers="conv", target=0)
    assert np.allclose(dark["conv.contribution"], 0)


def test_the_places_of_a_layer_are_hires_cam(embedded, chelsea):
    """Summed over units, the contribution at a pixel is HiResCAM's value there."""
    heat = convscope.explain(embedded, chelsea, method="hires_cam", target=281, layer="blocks.5")[
        "attribution"
    ][0, 0]
    top, left, height, width = embedded.preprocessing.box(*chelsea.shape[:2])
    for row, column in ((1, 2), (3, 5), (6, 0)):
        at = (int(top + (row + 0.5) / 7 * height), int(left + (column + 0.5) / 7 * width))
        result = convscope.place(embedded, chelsea, *at, layers=["blocks.5"], target=281)
        assert result["blocks.5.contribution"].sum() == pytest.approx(heat[row, column], rel=1e-3)


def test_every_stage_by_default(embedded, chelsea):
    result = convscope.place(embedded, chelsea, 120, 200, top=3)
    assert list(dict.fromkeys(row["layer"] for row in result.table)) == [
        f"blocks.{index}" for index in range(7)
    ]
    assert {row["target"] for row in result.table} == {"tiger cat"}
    classes = [row["label"] for row in result.table if row["list"] == "class"]
    assert classes == [row["label"] for row in convscope.predict(embedded, chelsea, top=3).table]
    assert result.picture().width > 100


def test_a_pixel_that_the_network_does_not_see(embedded, chelsea):
    with pytest.raises(ImageError, match="lies outside"):
        convscope.place(embedded, chelsea, 5, 5)
    with pytest.raises(OptionError):
        convscope.place(embedded, chelsea, 120, 200, top=0)
