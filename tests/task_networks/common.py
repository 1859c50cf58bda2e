"""Settings that several of the networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

SIDE = 64

Build = Callable[[], nn.Module]

PLAIN: dict[str, Any] = {"weights": None, "weights_backbone": None, "num_classes": 4}
STAGES = ["stage1", "stage2", "stage3", "stage4"]
CONVNEXT: dict[str, Any] = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16]}


def conv_block(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )
