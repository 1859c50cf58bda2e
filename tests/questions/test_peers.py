"""The heat of pytorch-grad-cam with its own targets, where the formula is the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope
from tests.questions.answering_networks import Detector, Segmenter

peer = pytest.importorskip("pytorch_grad_cam")
targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")

SIDE = 16


class Deep(Segmenter):
    """With a layer before it that CAMs can look at."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 3, 1))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return super().forward(self.first(image))


class LogitsOf(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)["out"]


class DeepDetector(Detector):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 3, 1))

    def forward(self, image: Tensor) -> list[dict[str, Tensor]]:
        return super().forward(self.first(image))


@pytest.fixture
def photo():
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def scaled(heat: np.ndarray) -> np.ndarray:
    """As pytorch-grad-cam gives a map: no negative values, then twice from 0 to 1."""
    heat = heat.clip(0)
    assert heat.any()
    for _ in range(2):
        heat = heat - heat.min()
        heat = heat / (1e-7 + heat.max())
    return heat


METHODS = ["GradCAM", "HiResCAM", "LayerCAM"]
OURS = dict(zip(METHODS, ["grad_cam", "hires_cam", "layer_cam"], strict=True))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_pixel", [False, True])
def test_segmentation_target(method, is_pixel, photo):
    torch.manual_seed(0)
    network = Deep().eval()
    model = convscope.load_model(network, size=SIDE)
    answer = convscope.predict(model, photo)
    label = answer.table[0]["index"]
    mask = (answer["segmentation"][0] == label).astype(np.float32)
    question = f"mask:{label}"
    if is_pixel:
        row, column = np.argwhere(mask)[0]
        mask = np.zeros_like(mask)
        mask[row, column] = 1
        question = f"pixel:{2 * column},{2 * row}@{label}"
    target = targets.SemanticSegmentationTarget(label, mask)
    with getattr(peer, method)(LogitsOf(network), [network.first[0]]) as cam:
        theirs = cam(photo.clone(), targets=[target])[0]
    ours = convscope.explain(model, photo, target=question, method=OURS[method], layer="first.0")[
        "heatmap"
    ][0]
    np.testing.assert_allclose(scaled(ours), theirs, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("row", [0, 1])
def test_box_target(method, row, photo):
    """Where the boxes themselves have no gradient, the IoU in their target is a constant."""
    torch.manual_seed(0)
    network = DeepDetector().eval()
    model = convscope.load_model(network, size=SIDE)
    entry = convscope.predict(model, photo).table[row]
    box = np.array([entry[name] for name in ("x1", "y1", "x2", "y2")])
    target = targets.FasterRCNNBoxScoreTarget([entry["index"]], [box])
    with getattr(peer, method)(network, [network.first[0]]) as cam:
        theirs = cam(photo.clone(), targets=[target])[0]
    ours = convscope.explain(
        model, photo, target=f"box:{row}", method=OURS[method], layer="first.0"
    )["heatmap"][0]
    np.testing.assert_allclose(scaled(ours), theirs, atol=1e-4)
