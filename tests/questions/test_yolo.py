"""The adapter of docs/questions.md, on a stand-in whose output is shaped as YOLO's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import convscope

PAGE = Path(__file__).parents[2] / "docs" / "questions.md"
SIDE = 16


class RawYolo(torch.nn.Module):
    """Two anchors, left and right half; each class's score is the sigmoid of a color's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3)[:, :, None, None] * 4)

    def forward(self, image):
        maps = self.conv(image)
        halves = maps[..., : SIDE // 2], maps[..., SIDE // 2 :]
        scores = torch.stack([half.mean((2, 3)).sigmoid() for half in halves], 2)
        boxes = torch.tensor([[4.0, 12], [8, 8], [8, 8], [16, 16]]).expand(len(image), 4, 2)
        return torch.cat([boxes, scores], 1), [maps]


@pytest.fixture
def model():
    names: dict[str, object] = {}
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    exec(compile("".join(code), PAGE.name, "exec"), names)
    adapter = names["Yolo"]
    assert isinstance(adapter, type)
    return convscope.load_model(adapter(RawYolo()), size=SIDE, labels=["red", "green", "blue"])


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
