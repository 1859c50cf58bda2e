"""The adapter of docs/questions.md, on a stand-in whose output is shaped as YOLO's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from tests.task_networks.detectors import yolo

SIDE = 16


@pytest.fixture
def model():
    return convscope.load_model(yolo(), size=SIDE, labels=["red", "green", "blue"])


def test_boxes_and_their_gradient(model):
    photo = torch.zeros(1, 3, SIDE, SIDE)
    photo[:, 0, :, : SIDE // 2], photo[:, 1, :, SIDE // 2 :] = 1, 0.5
    assert model.task == "detection"
    rows = convscope.predict(model, photo).table
    assert [row["label"] for row in rows] == ["red", "green"]
    assert [rows[1][name] for name in ("x1", "y1", "x2", "y2")] == [8, 0, 16, 16]
    heat = convscope.explain(model, photo, method="saliency", target="box:green")["attribution"][0]
    p = 1 / (1 + np.exp(-2))
    expected = np.zeros((3, SIDE, SIDE))
    expected[1, :, SIDE // 2 :] = p * (1 - p) * 4 / (SIDE * SIDE / 2)
    np.testing.assert_allclose(heat, expected, atol=1e-7)
